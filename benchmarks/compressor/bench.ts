// Passages compressed per second by the compiled engine, and by the same model in plain TensorFlow.js in the same run. By hand:
//   node --conditions=@clara/source benchmarks/compressor/bench.ts
// Writes results.json beside this file.
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { createCompressor } from "@clara/compressor";
import { createEngine } from "@clara/engine";
import { mini } from "@clara/mini";
import { bertEncoder, bertParams, encodeBert, readWeights, wordPiece } from "@clara/model";
import { tf } from "@clara/tensor";

const weights = readWeights(readFileSync(mini.files.weights));
const tokenizer = wordPiece(JSON.parse(readFileSync(mini.files.tokenizer, "utf8")), { specialTokens: "text" });
const { layers, heads } = mini.config;
const engine = await createEngine();
const encoder = await bertEncoder(engine, { weights, layers, heads, prefix: "compressor" });
const compressor = createCompressor({ encoder, tokenizer });

/** Texts of exactly 126 tokens, 128 with CLS and SEP: every word is one token. No two are alike: equal ones are compressed once. */
const words = "river stone market winter paper garden window silver morning bridge engine letter".split(" ");
let state = 1;
const word = () => {
  state = (state * 48271) % 2147483647; // Park and Miller's generator
  return words[state % words.length]!;
};
const passages = Array.from({ length: 256 }, () => ({ text: Array.from({ length: 126 }, word).join(" ") }));
const tokens = tokenizer.encode(passages[0]!.text).ids.length + 2;

const params = bertParams(weights, { prefix: "compressor", layers });
const rows = 4;
const ids = tf.tensor2d(
  passages.slice(0, rows).flatMap(({ text }) => [tokenizer.cls, ...tokenizer.encode(text).ids, tokenizer.sep]),
  [rows, tokens],
  "int32",
);
const types = tf.zeros([rows, tokens], "int32") as tf.Tensor2D;
const mask = tf.ones([rows, tokens], "int32") as tf.Tensor2D;

const compiled: number[] = [];
const plain: number[] = [];
for (let round = 0; round < 4; round++) {
  compiled.push((await seconds(async () => void (await compressor.compress(passages)))) / passages.length);
  plain.push(
    (await seconds(async () => {
      const states = encodeBert(params, { ids, types, mask }, { heads });
      await states.data();
      states.dispose();
    })) / rows,
  );
}
tf.dispose([params, ids, types, mask]);
await engine.dispose();

// The first round warms both up.
const best = (values: number[]) => Math.min(...values.slice(1));
const result = {
  date: new Date().toISOString().slice(0, 10),
  machine: `${cpus().length} × ${cpus()[0]?.model.trim()}, Node.js ${process.versions.node}`,
  engine: engine.details,
  tokensPerPassage: tokens,
  compiled: { passagesPerSecond: round(1 / best(compiled)), tokensPerSecond: round(tokens / best(compiled)) },
  tensorflowJsCpu: { passagesPerSecond: round(1 / best(plain)) },
  ratio: round(best(plain) / best(compiled)),
};
console.log(JSON.stringify(result, undefined, 2));
writeFileSync(new URL("results.json", import.meta.url), `${JSON.stringify(result, undefined, 2)}\n`);

async function seconds(work: () => Promise<void>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}
