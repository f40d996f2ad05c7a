// Measures what int8 costs @clara/mini against its float16 originals, by hand (about half a minute):
//   node --conditions=@clara/source packages/model/scripts/int8-cost.ts MODELS_DIR
import { readFileSync } from "node:fs";
import type { Weights } from "@clara/core";
import { tf } from "@clara/tensor";
import { bertParams, encodeBert, readWeights, wordPiece } from "../src/index.ts";

const folder = process.argv[2];
if (!folder) {
  console.error("usage: int8-cost.ts MODELS_DIR (with all-MiniLM-L6-v2/ and reader-prototype/)");
  process.exit(2);
}
const json = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));
const backbone = `${folder}/all-MiniLM-L6-v2`;
const original = readWeights(readFileSync(`${backbone}/model.safetensors`));
const reader = { ...original, ...readWeights(readFileSync(`${folder}/reader-prototype/model.safetensors`)) };
const mini = readWeights(readFileSync(new URL("../../mini/data/mini.safetensors", import.meta.url)));

function states(weights: Weights, prefix: string, ids: number[], types: number[]): Float32Array {
  return tf.tidy(() => {
    const [B, T] = [1, ids.length];
    const row = (values: number[]) => tf.tensor2d(values, [B, T], "int32");
    const params = bertParams(weights, { layers: 6, prefix });
    const batch = { ids: row(ids), types: row(types), mask: row(ids.map(() => 1)) };
    return encodeBert(params, batch, { heads: 12 }).dataSync() as Float32Array;
  });
}

function mean(rows: Float32Array): number[] {
  const out = new Array<number>(384).fill(0);
  for (const [i, value] of rows.entries()) out[i % 384]! += value;
  return out;
}

function cosine(x: number[], y: number[]): number {
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
}

const tokenizer = wordPiece(json(`${backbone}/tokenizer.json`));
const cosines = (json(`${backbone}/golden.json`) as { text: string }[]).map(({ text }) => {
  const ids = [tokenizer.cls, ...tokenizer.encode(text).ids.subarray(0, 254), tokenizer.sep];
  const types = ids.map(() => 0);
  return cosine(mean(states(original, "encoder", ids, types)), mean(states(mini, "compressor", ids, types)));
});
console.log("cosine of int8 and float16 sentence embeddings:", { lowest: Math.min(...cosines), cosines });

function logits(weights: Weights, head: string, rows: Float32Array): [number, number][] {
  const { data: w } = weights[`${head}.weight`]!;
  const { data: b } = weights[`${head}.bias`]!;
  return Array.from({ length: rows.length / 384 }, (_, t) => {
    const at = (k: number) =>
      b[k]! + rows.subarray(t * 384, t * 384 + 384).reduce((sum, x, i) => sum + x * w[k * 384 + i]!, 0);
    return [at(0), at(1)];
  });
}

/** Best span of at most 30 tokens inside one fragment, as the reader prototype's README says. */
function best(ids: number[], types: number[], scores: [number, number][]): { span: string; score: number } {
  let found = { span: "none", score: Number.NEGATIVE_INFINITY };
  for (let s = 0; s < ids.length; s++) {
    for (let e = s; e < Math.min(ids.length, s + 30) && types[e] === 1 && types[s] === 1 && ids[e] !== 102; e++) {
      const score = scores[s]![0] + scores[e]![1];
      if (score > found.score) found = { span: `${s}-${e}`, score };
    }
  }
  return found;
}

type Golden = { question: string; input_ids: number[]; token_type_ids: number[] };
for (const { question, input_ids: ids, token_type_ids: types } of json(
  `${folder}/reader-prototype/golden.json`,
) as Golden[]) {
  const exact = logits(reader, "span", states(reader, "encoder", ids, types));
  const rounded = logits(mini, "reader.span", states(mini, "reader", ids, types));
  const differences = exact.flatMap(([s, e], t) => [Math.abs(s - rounded[t]![0]), Math.abs(e - rounded[t]![1])]);
  console.log(question, {
    largestDifference: Math.max(...differences),
    before: best(ids, types, exact),
    after: best(ids, types, rounded),
  });
}
