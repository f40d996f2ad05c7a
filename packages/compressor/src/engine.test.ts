import { existsSync, readFileSync } from "node:fs";
import type { Memory, Weights } from "@clara/core";
import { createEngine, type Engine, type Params } from "@clara/engine";
import {
  bertEmbeddings,
  bertEncoder,
  bertParams,
  type EncoderEngine,
  encodeBert,
  readWeights,
  type TokenBatch,
  type Tokenizer,
  wordPiece,
} from "@clara/model";
import { tf } from "@clara/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Compressor, createCompressor } from "./compressor.ts";
import { dequantizeMemory, quantizeMemory } from "./quantize.ts";
import { windowScores } from "./scores.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ prefer: "compiled", threads: 1 });
});
afterAll(() => engine.dispose());

const tiny = { layers: 1, heads: 2, prefix: "tiny" };
/** An engine of `@clara/engine` is what `@clara/model` asks for. */
const open = (on: EncoderEngine<Params> = engine) => bertEncoder(on, { weights: sines(), ...tiny });

describe("an encoder on the compiled engine", () => {
  it("gives the states of the eager model, whatever the sizes", async () => {
    const encoder = await open();
    for (const sequences of [[[3]], [[3, 19, 0, 7, 7]], [[5, 6, 7], [1, 2, 3, 4, 8, 9, 10], [11]]]) {
      const batch = batchOf(sequences);
      batch.types.fill(1, 1, 2);
      expect(distanceOfTokens(await encoder.run(batch), eager(sines(), tiny, batch), batch)).toBeLessThan(1e-5);
    }
    await encoder.dispose();
  });

  it("answers calls made at once, each with its own states, and leaves their arrays alone", async () => {
    const encoder = await open();
    const batches = [batchOf([[1, 2]]), batchOf([[3]]), batchOf([[4, 5, 6], [7]])];
    const together = await Promise.all(batches.map((one) => encoder.run(one)));
    for (const [i, one] of batches.entries()) {
      expect(one.ids.length).toBe(one.shape[0] * one.shape[1]);
      expect([...together[i]!]).toEqual([...(await encoder.run(one))]);
    }
    await encoder.dispose();
  });

  it("lets other work go on during a run", async () => {
    const encoder = await open();
    const states = encoder.run(batchOf(Array.from({ length: 2000 }, () => [1, 2, 3, 4, 5, 6, 7, 8, 9])));
    let turns = 0;
    let done = false;
    void states.then(() => {
      done = true;
    });
    while (!done) {
      turns++;
      await new Promise(setImmediate);
    }
    expect(turns).toBeGreaterThan(3);
    await encoder.dispose();
  });

  it("stops for a signal before, while waiting and while running, and goes on with the next", async () => {
    const encoder = await open();
    const one = (id: number) => batchOf([[id]]);
    await expect(encoder.run(one(1), { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
    const [first, second] = [new AbortController(), new AbortController()];
    const running = encoder.run(batchOf([[1, 2]]), { signal: first.signal });
    const waiting = encoder.run(one(3), { signal: second.signal });
    const last = encoder.run(one(4));
    second.abort();
    first.abort();
    await expect(running).rejects.toMatchObject({ code: "aborted" });
    await expect(waiting).rejects.toMatchObject({ code: "aborted" });
    expect([...(await last)]).toEqual([...(await encoder.run(one(4)))]);
    await encoder.dispose();
  });

  it("finishes the runs that have begun when it is disposed, and ends with its engine", async () => {
    const own = await createEngine({ prefer: "compiled", threads: 1 });
    const [encoder, other] = [await open(own), await open(own)];
    const begun = encoder.run(batchOf([[1]]));
    await encoder.dispose();
    expect((await begun).length).toBe(8);
    await expect(encoder.run(batchOf([[1]]))).rejects.toMatchObject({ code: "engine" });
    expect((await other.run(batchOf([[1]]))).length).toBe(8);
    await own.dispose();
    await expect(other.run(batchOf([[1]]))).rejects.toMatchObject({ code: "engine" });
    await other.dispose();
  });
});

describe("bertEmbeddings on the compiled engine", () => {
  it("copies the checkpoint's arrays, or moves them when it may", async () => {
    const [kept, given] = [sines(), sines()];
    const words = (weights: Weights) => weights["embeddings.word_embeddings.weight"]!.data.length;
    const states = [];
    for (const [weights, transfer] of [
      [kept, false],
      [given, true],
    ] as const) {
      const embeddings = bertEmbeddings(engine, weights, { transfer });
      const encoder = await bertEncoder(engine, { weights, ...tiny, embeddings });
      states.push(await encoder.run(batchOf([[1, 2, 3]])));
      for (const part of [encoder, embeddings]) await part.dispose();
    }
    expect([words(kept), words(given)]).toEqual([160, 0]);
    expect(states[0]).toEqual(states[1]);
  });
});

describe("a compressor on the engine", () => {
  it("gives the same memories alone and in batches with padding", async () => {
    const encoder = await open();
    const characters: Tokenizer = {
      id: "characters",
      cls: 1,
      sep: 2,
      pad: 0,
      unknown: 3,
      encode: (text) => ({
        ids: Int32Array.from(text, (character) => (character.charCodeAt(0) % 16) + 4),
        starts: Uint32Array.from(text, (_, i) => i),
        ends: Uint32Array.from(text, (_, i) => i + 1),
      }),
    };
    const compressor = createCompressor({ encoder, tokenizer: characters, maxTokens: 16 });
    const passages = ["", "a", "some words", "a passage that is longer than one sequence can be"].map((text) => ({
      text,
    }));
    await expectSame(compressor, passages, 1e-4);
    await encoder.dispose();
  });
});

const models = new URL("../../../../shared/models/", import.meta.url);
const here = existsSync(models);
const read = (name: string): Buffer => readFileSync(new URL(name, models));
const json = (name: string) => JSON.parse(read(name).toString());

describe.skipIf(!here)("all-MiniLM-L6-v2 on the compiled engine (needs ../shared/models)", () => {
  const shape = { layers: 6, heads: 12 };
  let weights: Weights;
  let golden: Weights;
  let texts: { text: string; ids: number[] }[];
  beforeAll(() => {
    weights = readWeights(read("all-MiniLM-L6-v2/model.safetensors"));
    golden = readWeights(read("all-MiniLM-L6-v2/golden.safetensors"));
    texts = json("all-MiniLM-L6-v2/golden.json");
  });

  it("gives the states of PyTorch and of the eager model", async () => {
    const encoder = await bertEncoder(engine, { weights, ...shape });
    const chosen = [0, 1, 3, 9];
    const batch = batchOf(chosen.map((i) => texts[i]!.ids));
    const states = await encoder.run(batch);
    for (const [row, i] of chosen.entries()) {
      const expected = golden[`last_hidden_state.${i}`]!.data;
      const start = row * batch.shape[1] * 384;
      const got = states.subarray(start, start + expected.length);
      // Relative L2: the shared weights are rounded to float16, the golden states come from float32.
      const error = Math.hypot(...got.map((x, k) => x - expected[k]!)) / Math.hypot(...expected);
      expect(error).toBeLessThan(1e-3);
      const alone = await encoder.run(batchOf([texts[i]!.ids]));
      expect(distance(got, alone)).toBeLessThan(1e-4);
    }
    const first = batchOf([texts[0]!.ids]);
    const exact = eager(weights, { ...shape, prefix: "encoder" }, first);
    expect(distance(await encoder.run(first), exact)).toBeLessThan(1e-5);
    await encoder.dispose();
  });

  it("gives a second encoder its own states, on the table of the first", async () => {
    const own = readWeights(read("reader-prototype/model.safetensors"));
    const embeddings = bertEmbeddings(engine, weights);
    const [first, reader] = [
      await bertEncoder(engine, { weights, ...shape, embeddings }),
      await bertEncoder(engine, { weights: own, ...shape, embeddings }),
    ];
    const cases = json("reader-prototype/golden.json") as { input_ids: number[]; token_type_ids: number[] }[];
    const logits = readWeights(read("reader-prototype/golden.safetensors"));
    for (const i of [0, 2]) {
      const { input_ids, token_type_ids } = cases[i]!;
      const batch = { ...batchOf([input_ids]), types: Int32Array.from(token_type_ids) };
      const states = await reader.run(batch);
      const got = tf.tidy(() => {
        const flat = tf.tensor2d(states, [input_ids.length, 384]);
        const head = tf.tensor2d(own["span.weight"]!.data, [2, 384]);
        return tf.add(tf.matMul(flat, head, false, true), tf.tensor1d(own["span.bias"]!.data)).dataSync();
      });
      expect(distance(got, logits[`logits.${i}`]!.data)).toBeLessThan(1e-4);
      expect(distance(states, await first.run(batch))).toBeGreaterThan(0.1);
    }
    for (const part of [first, reader, embeddings]) await part.dispose();
  });

  it("gives the published sentence embeddings, and memories that survive int8 and int4", async () => {
    const encoder = await bertEncoder(engine, { weights, ...shape });
    const compressor = createCompressor({ encoder, tokenizer: wordPiece(json("all-MiniLM-L6-v2/tokenizer.json")) });
    for (const [i, { text, ids }] of texts.entries()) {
      if (ids.length >= 256) continue; // the golden embedding is of the first 256 tokens
      const { vector } = await compressor.query(text);
      const cosine = vector.reduce((sum, x, d) => sum + x * golden[`embedding.${i}`]!.data[d]!, 0);
      expect(cosine, text.slice(0, 40)).toBeGreaterThan(0.99999);
    }
    const passages = texts.slice(0, 12).map(({ text }) => ({ text, title: "Golden texts" }));
    const memories = await expectSame(compressor, passages, 1e-4);
    for (const memory of memories) {
      for (const [bits, least] of [[8, 0.9999] as const, [4, 0.98] as const]) {
        const back = dequantizeMemory(quantizeMemory(memory, { bits }));
        for (let m = 0; m < memory.count; m++) {
          const vector = memory.vectors.subarray(m * 384, (m + 1) * 384);
          expect(windowScores(vector, back)[m]).toBeGreaterThan(least);
        }
      }
    }
    await encoder.dispose();
  });
});

/** Sequences as a padded batch. */
function batchOf(sequences: readonly (readonly number[])[]): TokenBatch {
  const T = Math.max(...sequences.map((ids) => ids.length));
  const pad = (ids: readonly number[]): number[] => Array.from({ length: T }, (_, t) => ids[t] ?? 0);
  return {
    ids: Int32Array.from(sequences.flatMap(pad)),
    types: new Int32Array(sequences.length * T),
    mask: Int32Array.from(sequences.flatMap((ids) => pad(ids.map(() => 1)))),
    shape: [sequences.length, T],
  };
}

/** The same function, run by TensorFlow.js as it is. */
function eager(
  weights: Weights,
  { layers, heads, prefix }: { layers: number; heads: number; prefix: string },
  { ids, types, mask, shape }: TokenBatch,
): Float32Array {
  const tensor = (data: Int32Array): tf.Tensor2D => tf.tensor2d(data, [...shape], "int32");
  return tf.tidy(() => {
    const batch = { ids: tensor(ids), types: tensor(types), mask: tensor(mask) };
    return encodeBert(bertParams(weights, { layers, prefix }), batch, { heads }).dataSync() as Float32Array;
  });
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a, (x, i) => Math.abs(x - b[i]!)).reduce((worst, d) => Math.max(worst, d), 0);
}

/** Rows of padding mean nothing. */
function distanceOfTokens(a: Float32Array, b: Float32Array, { mask }: TokenBatch): number {
  const width = a.length / mask.length;
  const tokens = (states: Float32Array) => states.filter((_, i) => mask[Math.floor(i / width)] === 1);
  return distance(tokens(a), tokens(b));
}

/** Compresses alone, in small and in large batches; the memories may differ by `tolerance`. */
async function expectSame(compressor: Compressor, passages: readonly { text: string }[], tolerance: number) {
  const alone: Memory[] = [];
  for (const passage of passages) alone.push(...(await compressor.compress([passage], { rate: 4 })));
  for (const batchTokens of [100, 4096]) {
    const together = await compressor.compress(passages, { rate: 4, batchTokens });
    for (const [i, memory] of together.entries()) {
      const { vectors, ...rest } = memory;
      expect({ ...rest, vectors: alone[i]!.vectors }).toEqual(alone[i]);
      const worst = vectors.reduce((most, x, j) => Math.max(most, Math.abs(x - alone[i]!.vectors[j]!)), 0);
      expect(worst).toBeLessThan(tolerance);
    }
  }
  return alone;
}

function sines(): Weights {
  const shapes: [string, number[]][] = [
    ["embeddings.word_embeddings.weight", [20, 8]],
    ["embeddings.position_embeddings.weight", [16, 8]],
    ["embeddings.token_type_embeddings.weight", [2, 8]],
    ...["embeddings.LayerNorm", "tiny.layer.0.attention.output.LayerNorm", "tiny.layer.0.output.LayerNorm"].flatMap(
      (n) => dense(n, [8]),
    ),
    ...["self.query", "self.key", "self.value", "output.dense"].flatMap((n) =>
      dense(`tiny.layer.0.attention.${n}`, [8, 8]),
    ),
    ...dense("tiny.layer.0.intermediate.dense", [16, 8]),
    ...dense("tiny.layer.0.output.dense", [8, 16]),
  ];
  const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b);
  return Object.fromEntries(
    shapes.map(([name, shape]) => [
      name,
      { shape, data: Float32Array.from({ length: size(shape) }, (_, i) => Math.sin(i + name.length)) },
    ]),
  );
}

function dense(name: string, shape: number[]): [string, number[]][] {
  return [
    [`${name}.weight`, shape],
    [`${name}.bias`, [shape[0]!]],
  ];
}
