import type { Weights } from "@clara/core";
import { tf } from "@clara/tensor";
import { expectClose } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { bertEmbeddings } from "./bert-embeddings.ts";
import { bertEncoder } from "./bert-encoder.ts";
import { eagerEngine } from "./eager.testing.ts";
import { batchOf, bertInLoops, randomWeights, tiny } from "./tiny-bert.testing.ts";

const { layers, heads } = tiny;
const weights = randomWeights();
const open = (changes: { weights?: Weights; layers?: number; heads?: number } = {}, engine = eagerEngine()) =>
  bertEncoder(engine, { weights, layers, heads, ...changes });

describe("bertEncoder", () => {
  it("computes what the formulas of BERT say, token types included", async () => {
    const encoder = await open();
    expect(encoder.width).toBe(8);
    const [ids, types] = [
      [3, 19, 0, 7, 7],
      [0, 0, 1, 1, 0],
    ];
    const states = await encoder.run({ ...batchOf([ids]), types: Int32Array.from(types) });
    expectClose(tf.tensor1d(states), bertInLoops(weights, ids, types, tiny), { absolute: 1e-5 });
  });

  it("gives a sequence the same states alone, padded and beside longer ones", async () => {
    const encoder = await open();
    const padded = await encoder.run(batchOf([[5, 6, 7], [1, 2, 3, 4, 8, 9, 10], [11]]));
    expect(padded.length).toBe(3 * 7 * 8);
    const first = await encoder.run(batchOf([[5, 6, 7]]));
    expectClose(tf.tensor1d(padded.subarray(0, 24)), first, { absolute: 1e-5 });
    const last = await encoder.run(batchOf([[11]]));
    expectClose(tf.tensor1d(padded.subarray(2 * 56, 2 * 56 + 8)), last, { absolute: 1e-5 });
  });

  it("reads up to the last position, however few the model has", async () => {
    const encoder = await open();
    const ids = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const states = await encoder.run(batchOf([ids]));
    const types = ids.map(() => 0);
    expectClose(tf.tensor1d(states), bertInLoops(weights, ids, types, tiny), { absolute: 1e-5 });
  });

  it("names a missing tensor and one of another shape, and leaves nothing in the engine", async () => {
    const { "encoder.layer.1.output.dense.bias": _, ...missing } = weights;
    const misshapen = { ...weights, "embeddings.LayerNorm.weight": { shape: [7], data: new Float32Array(7) } };
    const engine = eagerEngine();
    await expect(open({ weights: missing }, engine)).rejects.toMatchObject({
      code: "weights",
      message: expect.stringMatching(/^bertEncoder: .*"encoder\.layer\.1\.output\.dense\.bias"/),
    });
    await expect(open({ weights: misshapen }, engine)).rejects.toMatchObject({
      code: "weights",
      message: 'bertEmbeddings: "embeddings.LayerNorm.weight" must be [8], got [7]',
    });
    expect([...engine.alive]).toEqual([]);
  });

  it("refuses heads that do not divide the width, and no layers", async () => {
    for (const wrong of [{ heads: 3 }, { heads: 0 }, { layers: 0 }, { layers: 1.5 }]) {
      const engine = eagerEngine();
      await expect(open(wrong, engine)).rejects.toMatchObject({ code: "option" });
      expect([...engine.alive]).toEqual([]);
    }
  });

  it("refuses wrong lengths, too many tokens and ids or types that the model does not have", async () => {
    const encoder = await open();
    const good = batchOf([[1, 2]]);
    await expect(encoder.run({ ...good, mask: Int32Array.of(1) })).rejects.toMatchObject({
      code: "shape",
      message: "encoder.run: ids, types and mask must have 1*2 numbers, got ids 2, types 2, mask 1",
    });
    await expect(encoder.run({ ...good, shape: [0, 2] })).rejects.toMatchObject({ code: "shape" });
    await expect(encoder.run(batchOf([[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]]))).rejects.toMatchObject({
      code: "shape",
      message: "encoder.run: the model has 9 positions, got 10 tokens; cut the text",
    });
    await expect(encoder.run(batchOf([[1, 20]]))).rejects.toMatchObject({
      code: "input",
      message: "encoder.run: ids must be from 0 to 19, got 20; is the tokenizer the model's?",
    });
    await expect(encoder.run(batchOf([[-1, 2]]))).rejects.toMatchObject({ code: "input" });
    await expect(encoder.run({ ...good, types: Int32Array.of(0, 2) })).rejects.toMatchObject({
      code: "input",
      message: "encoder.run: types must be from 0 to 1, got 2",
    });
    expect((await encoder.run(good)).length).toBe(16);
  });

  it("leaves the checkpoint's arrays as they are", async () => {
    const before = Object.entries(weights).map(([name, { data }]) => [name, [...data]]);
    await open();
    expect(Object.entries(weights).map(([name, { data }]) => [name, [...data]])).toEqual(before);
  });

  it("frees what it has put into the engine, and can be disposed twice", async () => {
    const engine = eagerEngine();
    const encoder = await open({}, engine);
    expect(engine.alive.size).toBe(3);
    await encoder.dispose();
    await encoder.dispose();
    expect([...engine.alive]).toEqual([]);
    await expect(encoder.run(batchOf([[1]]))).rejects.toMatchObject({
      code: "engine",
      message: expect.stringMatching(/disposed/),
    });
  });

  it("gives the engine one key for one function", async () => {
    const engine = eagerEngine();
    await open({}, engine);
    await open({}, engine);
    await open({ heads: 4 }, engine);
    const keys = engine.log.filter((line) => line.startsWith("compile"));
    expect(keys).toEqual([
      "compile 2 layers, 2 heads, eps 1e-12",
      "compile 2 layers, 2 heads, eps 1e-12",
      "compile 2 layers, 4 heads, eps 1e-12",
    ]);
  });
});

describe("bertEmbeddings", () => {
  it("are put into the engine once for encoders that share them, and outlive these", async () => {
    const engine = eagerEngine();
    const embeddings = bertEmbeddings(engine, weights);
    const { width, vocabulary, positions, kinds } = embeddings;
    expect({ width, vocabulary, positions, kinds }).toEqual({ width: 8, vocabulary: 20, positions: 9, kinds: 2 });
    const both = await Promise.all([
      bertEncoder(engine, { weights, layers, heads, embeddings }),
      bertEncoder(engine, { weights, layers: 1, heads, embeddings }),
    ]);
    expect(engine.log.filter((line) => line === "params 5").length).toBe(1);
    const states = await both[1].run(batchOf([[4, 5]]));
    expectClose(tf.tensor1d(states), bertInLoops(weights, [4, 5], [0, 0], { layers: 1, heads }), { absolute: 1e-5 });
    for (const encoder of both) await encoder.dispose();
    expect([...engine.alive]).toEqual(["params 1"]);
    await embeddings.dispose();
    expect([...engine.alive]).toEqual([]);
  });

  it("say through the encoder that the engine does not take them", async () => {
    const engine = eagerEngine();
    const refusing = { ...engine, params: () => Promise.reject(new Error("full")) };
    const embeddings = bertEmbeddings(refusing, weights);
    await expect(bertEncoder(refusing, { weights, layers, heads, embeddings })).rejects.toThrow("full");
  });
});
