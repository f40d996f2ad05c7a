import type { Hit, IndexedPassage, Query, Scalar, WritableRetriever } from "@clara/core";
import { check } from "./assert.ts";

/** What a case works with. */
export interface Context {
  /** A new, empty retriever; closed when the case ends. */
  make(): Promise<WritableRetriever>;
  passage(
    id: string,
    text: string,
    extra?: { title?: string; metadata?: Record<string, Scalar>; document?: string },
  ): IndexedPassage;
  /** The question with the vector that fits its text. */
  query(text: string): Query;
}

export interface Case {
  /** A sentence about what a retriever does. */
  readonly title: string;
  /** Whether it says anything about this retriever. @default always */
  readonly applies?: (retriever: WritableRetriever) => boolean;
  run(context: Context): Promise<void>;
}

/** The vectors are the kit's own: texts with the same words are near, others far. */
export function createContext(make: Context["make"], dimension: number): Context {
  return {
    make,
    query: (text) => ({ text, vector: embed(text, dimension) }),
    passage: (id, text, { title = "", metadata = {}, document = id.split("#")[0]! } = {}) => ({
      id,
      document,
      title,
      text,
      start: 0,
      end: text.length,
      metadata,
      vector: embed(text, dimension),
    }),
  };
}

/** The sum of one pseudo-random direction per word. [D]; not normalised, never zero. */
export function embed(text: string, dimension: number): Float32Array {
  const vector = new Float32Array(dimension).fill(0.01);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}\p{Extended_Pictographic}]+/gu) ?? []) {
    let seed = 2166136261;
    for (let i = 0; i < word.length; i++) seed = Math.imul(seed ^ word.charCodeAt(i), 16777619);
    const random = createRandom(seed);
    for (let d = 0; d < dimension; d++) vector[d]! += random() * 2 - 1;
  }
  return vector;
}

/** Numbers from 0 up to 1, the same ones for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** What is true of every list of hits, whatever was asked. */
export function checkHits(
  hits: readonly Hit[],
  k: number,
  retriever: WritableRetriever,
  live?: ReadonlySet<string>,
): void {
  check(Array.isArray(hits), `hits must be an array, got ${JSON.stringify(hits)}`);
  check(hits.length <= k, `at most k = ${k} hits must come back, got ${hits.length}`);
  check(new Set(hits.map(({ id }) => id)).size === hits.length, "an id must come back once only");
  hits.forEach((hit, i) => {
    check(
      typeof hit.id === "string" && (live?.has(hit.id) ?? true),
      `hit ${i} has an id that is not in the index: ${hit.id}`,
    );
    check(Number.isFinite(hit.score), `scores must be finite, got ${hit.score} for "${hit.id}"`);
    check(hit.rank === i + 1, `ranks must count from 1, got ${hit.rank} at position ${i}`);
    check(
      hit.source === retriever.name,
      `source must be the retriever's name "${retriever.name}", got "${hit.source}"`,
    );
    const before = hits[i - 1];
    check(
      before === undefined || before.score >= hit.score,
      `scores must not rise, got ${before?.score} before ${hit.score}`,
    );
  });
}

export function idsOf(hits: readonly Hit[]): string[] {
  return hits.map(({ id }) => id);
}

/** Eight passages about eight different things. */
export const topics: readonly (readonly [id: string, text: string])[] = [
  ["volcano#0", "Volcanoes throw molten lava and grey ash from deep craters."],
  ["violin#0", "A luthier carves violins, fitting strings over maple bridges."],
  ["glacier#0", "Glaciers grind valleys while icebergs calve toward fjords."],
  ["bakery#0", "Sourdough bakers knead dough, proof loaves, fire brick ovens."],
  ["orbit#0", "Satellites orbit planets; astronauts repair telescopes outside."],
  ["chess#0", "Grandmasters sacrifice bishops to trap an exposed king."],
  ["reef#0", "Coral reefs shelter clownfish, eels plus feeding turtles."],
  ["loom#0", "Weavers thread looms, crossing woollen warp with dyed weft."],
];
