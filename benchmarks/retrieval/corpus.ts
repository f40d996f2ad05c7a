import type { IndexedPassage } from "../../packages/core/src/index.ts";
import { createRandom } from "../random.ts";

/** Draws word numbers below `size` with the frequencies of natural language: the r-th word about 1/r as often. */
function createZipf(size: number, random: () => number): () => number {
  const sums = new Float64Array(size);
  let sum = 0;
  for (let r = 0; r < size; r++) {
    sum += 1 / (r + 2.7);
    sums[r] = sum;
  }
  return () => {
    const wanted = random() * sum;
    let [low, high] = [0, size - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** A made-up word for a number: letters only, so that it is stemmed like any other. */
function wordOf(n: number): string {
  let word = "";
  for (let rest = n + 1; rest > 0; rest = Math.floor(rest / 20))
    word += "bdfgklmnprstvzhjcwxq"[rest % 20]! + "aeiou"[n % 5]!;
  return word;
}

export interface TextCorpus {
  readonly passages: readonly IndexedPassage[];
  /** Of 3 to 8 words, half of them from one passage. */
  readonly questions: readonly string[];
}

/** `count` passages of about 75 words from a vocabulary of 60,000. */
export function createTexts(count: number, questionCount: number, seed: number): TextCorpus {
  const random = createRandom(seed);
  const draw = createZipf(60_000, random);
  const words = (n: number) => Array.from({ length: n }, () => wordOf(draw()));
  const passages = Array.from({ length: count }, (_, i): IndexedPassage => {
    const text = words(50 + Math.floor(random() * 51)).join(" ");
    return { id: `p${i}`, document: `d${i}`, title: "", text, start: 0, end: text.length, metadata: {} };
  });
  const questions = Array.from({ length: questionCount }, () => {
    const known = passages[Math.floor(random() * count)]!.text.split(" ");
    const half = Array.from(
      { length: 2 + Math.floor(random() * 3) },
      () => known[Math.floor(random() * known.length)]!,
    );
    return [...half, ...words(1 + Math.floor(random() * 4))].join(" ");
  });
  return { passages, questions };
}

export interface VectorCorpus {
  readonly passages: readonly IndexedPassage[];
  readonly questions: readonly Float32Array[];
}

/** Vectors around cluster centres, of Zipf-like cluster sizes; questions are drawn the same way and are not among them. */
export function createVectors(count: number, dimension: number, questionCount: number, seed: number): VectorCorpus {
  const random = createRandom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const centres = Array.from({ length: Math.ceil(count / 33) }, () => Float32Array.from({ length: dimension }, normal));
  const draw = createZipf(centres.length, random);
  const vector = () => centres[draw()]!.map((x) => x + 0.8 * normal());
  const passages = Array.from({ length: count }, (_, i): IndexedPassage => {
    return { id: `p${i}`, document: `d${i}`, title: "", text: "", start: 0, end: 0, metadata: {}, vector: vector() };
  });
  return { passages, questions: Array.from({ length: questionCount }, vector) };
}
