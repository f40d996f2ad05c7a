import type { Weights } from "@clara/core";
import { createEngine, type Engine } from "@clara/engine";
import { bertEncoder, bertParams, encodeBert, type TokenBatch, type Tokenizer } from "@clara/model";
import { tf } from "@clara/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCompressor } from "./compressor.ts";
import { meanKey } from "./memory.ts";

/** One token per digit. */
const digits: Tokenizer = {
  id: "digits",
  cls: 11,
  sep: 12,
  pad: 0,
  unknown: 1,
  encode: (text) => ({
    ids: Int32Array.from(text, Number),
    starts: Uint32Array.from(text, (_, i) => i),
    ends: Uint32Array.from(text, (_, i) => i + 1),
  }),
};

/** States [id, sign]; remembers what it was given. */
function signed(sign: number, width = 2) {
  const batches: TokenBatch[] = [];
  const signals: (AbortSignal | undefined)[] = [];
  return {
    batches,
    signals,
    width,
    async run(batch: TokenBatch, { signal }: { signal?: AbortSignal | undefined } = {}) {
      batches.push(batch);
      signals.push(signal);
      return Float32Array.from({ length: batch.ids.length * 2 }, (_, i) => (i % 2 === 0 ? batch.ids[i / 2]! : sign));
    },
  };
}

describe("a compressor with a query encoder", () => {
  it("asks with it, and compresses documents without it", async () => {
    const [encoder, queryEncoder] = [signed(1), signed(-1)];
    const compressor = createCompressor({ encoder, queryEncoder, tokenizer: digits });
    const [memory] = await compressor.compress([{ text: "3" }], { rate: 16 });
    expect([encoder.batches.length, queryEncoder.batches.length]).toEqual([1, 0]);
    expect([...memory!.vectors]).toEqual([expect.closeTo(26 / 3, 5), 1]);
    const { signal } = new AbortController();
    const { vector, states } = await compressor.query("3", { signal });
    expect([encoder.batches.length, queryEncoder.batches.length]).toEqual([1, 1]);
    expect(queryEncoder.signals).toEqual([signal]);
    expect([...states]).toEqual([11, -1, 3, -1, 12, -1]);
    const length = Math.hypot(26 / 3, 1);
    expect([...vector]).toEqual([expect.closeTo(26 / 3 / length, 6), expect.closeTo(-1 / length, 6)]);
  });

  it("asks with the documents' encoder where there is no other", async () => {
    const encoder = signed(1);
    const compressor = createCompressor({ encoder, queryEncoder: undefined, tokenizer: digits });
    const { vector } = await compressor.query("3");
    const [memory] = await compressor.compress([{ text: "3" }]);
    expect([...meanKey(memory!)]).toEqual([...vector].map((x) => expect.closeTo(x, 6)));
    expect(encoder.batches).toHaveLength(2);
  });

  it("gives the states of a question in parts one after the other, without padding", async () => {
    const compressor = createCompressor({
      encoder: signed(1),
      queryEncoder: signed(-1),
      tokenizer: digits,
      maxTokens: 4,
    });
    const { states } = await compressor.query("123");
    expect([...states].filter((_, i) => i % 2 === 0)).toEqual([11, 1, 2, 12, 11, 3, 12]);
    expect([...states].filter((_, i) => i % 2 === 1)).toEqual(new Array(7).fill(-1));
  });

  it("narrows what it says through the documents' bottleneck", async () => {
    const bottleneck = { weight: Float32Array.of(1, 5), width: 1 };
    const options = { encoder: signed(1), queryEncoder: signed(-3), tokenizer: digits, bottleneck };
    const { vector, states } = await createCompressor(options).query("3");
    // 26/3 - 15 is below zero: one number at length 1.
    expect([...vector]).toEqual([-1]);
    expect(states).toHaveLength(6);
  });

  it("refuses one of another width than the encoder", () => {
    const make = () => createCompressor({ encoder: signed(1), queryEncoder: signed(-1, 3), tokenizer: digits });
    expect(make).toThrow(
      expect.objectContaining({
        code: "shape",
        message: "createCompressor: queryEncoder must be as wide as the encoder, 2, got 3",
      }),
    );
  });
});

describe("a query reasoner on the compiled engine", () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ prefer: "compiled", threads: 1 });
  });
  afterAll(() => engine.dispose());

  it("is the compressor's own layers with an update, which documents do not see", async () => {
    const [weights, D, R] = [waves(), 8, 2];
    const wave = (shape: [number, number], phase: number) => ({
      shape,
      data: Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => Math.sin(phase + 3 * i)),
    });
    const [a, b] = [wave([D, R], 1), wave([R, D], 2)];
    const shape = { weights, layers: 1, heads: 2, prefix: "tiny" };
    const path = "layers.0.attention.value";
    const [encoder, queryEncoder] = await Promise.all([
      bertEncoder(engine, shape),
      bertEncoder(engine, { ...shape, adapter: { [`${path}.a`]: a, [`${path}.b`]: b } }),
    ]);
    const compressor = createCompressor({ encoder, queryEncoder, tokenizer: digits });
    const { states } = await compressor.query("34");
    const eager = (scale: number): Float32Array =>
      tf.tidy(() => {
        const ids = tf.tensor2d([11, 3, 4, 12], [1, 4], "int32");
        const batch = { ids, types: tf.zerosLike(ids), mask: tf.onesLike(ids) };
        const lora = { [path]: { a: tf.tensor2d(a.data, a.shape), b: tf.tensor2d(b.data, b.shape), scale } };
        const params = bertParams(weights, { layers: 1, prefix: "tiny" });
        return encodeBert(params, batch, { heads: 2, lora }).dataSync() as Float32Array;
      });
    const distance = (other: Float32Array) => Math.max(...states.map((x, i) => Math.abs(x - other[i]!)));
    expect(distance(eager(1))).toBeLessThan(1e-4);
    expect(distance(eager(0))).toBeGreaterThan(0.01);
    const [memory] = await compressor.compress([{ text: "34" }], { rate: 1 });
    const plain = eager(0);
    expect(Math.max(...memory!.vectors.map((x, i) => Math.abs(x - plain[i]!)))).toBeLessThan(1e-4);
    for (const part of [encoder, queryEncoder]) await part.dispose();
  });
});

/** A checkpoint of one small layer. */
function waves(): Weights {
  const dense = (name: string, O: number, I: number): [string, number[]][] => [
    [`${name}.weight`, [O, I]],
    [`${name}.bias`, [O]],
  ];
  const norm = (name: string): [string, number[]][] => [
    [`${name}.weight`, [8]],
    [`${name}.bias`, [8]],
  ];
  const layer = "tiny.layer.0";
  const shapes: [string, number[]][] = [
    ["embeddings.word_embeddings.weight", [16, 8]],
    ["embeddings.position_embeddings.weight", [16, 8]],
    ["embeddings.token_type_embeddings.weight", [2, 8]],
    ...["embeddings.LayerNorm", `${layer}.attention.output.LayerNorm`, `${layer}.output.LayerNorm`].flatMap(norm),
    ...["self.query", "self.key", "self.value", "output.dense"].flatMap((name) =>
      dense(`${layer}.attention.${name}`, 8, 8),
    ),
    ...dense(`${layer}.intermediate.dense`, 12, 8),
    ...dense(`${layer}.output.dense`, 8, 12),
  ];
  return Object.fromEntries(
    shapes.map(([name, shape]) => {
      const least = name.endsWith("LayerNorm.weight") ? 1.5 : 0;
      const length = shape.reduce((x, y) => x * y, 1);
      return [name, { shape, data: Float32Array.from({ length }, (_, i) => least + Math.sin(i + name.length)) }];
    }),
  );
}
