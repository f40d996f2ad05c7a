import { createEngine, type Engine } from "@clara/engine";
import { bertEmbeddingArrays, bertLayerArrays, encodeBert, nestBert } from "@clara/model";
import { tf } from "@clara/tensor";
import { expectClose } from "@clara/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { townRecords, townTokenizer } from "../reading/towns.testing.ts";
import type { TrainableModel } from "../recipe.ts";
import { compileStates, memoryTokens, type PassageStates, passageStore } from "./passage-states.ts";
import { tiny, tinyMini } from "./tiny-mini.testing.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ prefer: "compiled", threads: 1 });
});
afterAll(() => engine?.dispose());

const { D, d, heads, layers } = tiny;
const [first, second] = [townRecords[0]!.text, townRecords[9]!.text];
const { cls, sep } = townTokenizer;
const encoded = (text: string): number[] => [...townTokenizer.encode(text).ids];

/** States of one sequence, computed at once. */
function statesOf({ weights }: TrainableModel, ids: readonly number[]): Float32Array {
  return tf.tidy(() => {
    const arrays = {
      ...bertEmbeddingArrays(weights),
      ...bertLayerArrays(weights, { layers, width: D, prefix: "compressor" }),
    };
    const tensors = Object.entries(arrays).map(([name, { data, shape }]) => [name, tf.tensor(data, [...shape])]);
    const batch = {
      ids: tf.tensor2d([...ids], [1, ids.length], "int32"),
      types: tf.zeros<tf.Rank.R2>([1, ids.length], "int32"),
      mask: tf.ones<tf.Rank.R2>([1, ids.length], "int32"),
    };
    const states = tf.reshape(encodeBert(nestBert(Object.fromEntries(tensors)), batch, { heads }), [ids.length, D]);
    const down = weights["compressor.bottleneck.weight"];
    const narrow = down ? tf.matMul(states as tf.Tensor2D, tf.tensor2d(down.data, [D, d])) : states;
    return narrow.dataSync() as Float32Array;
  });
}

describe("compileStates", () => {
  it("gives each sequence the compressor's states through the bottleneck, padding left out", async () => {
    const model = tinyMini();
    const encoder = await compileStates(engine, model);
    const sequences = [
      [cls, ...encoded(first), sep],
      [cls, 7, 8, sep],
    ];
    const states = await encoder.run(sequences);
    expect(encoder.width).toBe(d);
    for (const [i, ids] of sequences.entries()) {
      expectClose(states[i]!, statesOf(model, ids), { absolute: 1e-4, relative: 1e-3 });
    }
    await encoder.dispose();
  });

  it("gives states as wide as the model where it has no bottleneck", async () => {
    const model = tinyMini({ bottleneck: false });
    const encoder = await compileStates(engine, model);
    const ids = [cls, ...encoded(second), sep];
    expect(encoder.width).toBe(D);
    expectClose((await encoder.run([ids]))[0]!, statesOf(model, ids), { absolute: 1e-4, relative: 1e-3 });
    await encoder.dispose();
  });
});

describe("passageStore", () => {
  const close = (found: PassageStates, expected: Float32Array): void => {
    expect(found.values).toHaveLength(expected.length);
    const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    expectClose(found.scale, largest / 127, { relative: 1e-3 });
    const read = Array.from(found.values, (value) => value * found.scale);
    expectClose(read, expected, { absolute: 0.51 * found.scale });
  };

  it("gives the states of each text, rounded to 8 bits, in the order asked for", async () => {
    const model = tinyMini();
    const store = await passageStore(engine, model, { titled: 0 });
    expect(store.width).toBe(d);
    const texts = ["the mill", first, second, "the mill"];
    const found = await store.get(texts.map((text) => ({ text, title: "Arden" })));
    texts.forEach((text, i) => {
      expect(found[i]).toMatchObject({ length: encoded(text).length + 2, head: 1 });
      close(found[i]!, statesOf(model, [cls, ...encoded(text), sep]));
    });
    expect(await store.get([])).toEqual([]);
    await store.dispose();
  });

  it("encodes a text once", async () => {
    const store = await passageStore(engine, tinyMini(), { titled: 0 });
    const [one] = await store.get([{ text: first }]);
    const [again, fresh] = await store.get([{ text: first, title: "Arden" }, { text: second }]);
    expect(again).toBe(one);
    expect(fresh!.values).not.toEqual(one!.values);
    await store.dispose();
  });

  it("puts the title in front of as many texts as asked for, the same each time", async () => {
    const model = tinyMini();
    const all = await passageStore(engine, model, { titled: 1 });
    const [titled, untitled] = await all.get([{ text: first, title: "Arden" }, { text: second }]);
    expect(titled).toMatchObject({ head: 2, length: encoded(first).length + 3 });
    close(titled!, statesOf(model, [cls, ...encoded("Arden"), ...encoded(first), sep]));
    expect(untitled!.head).toBe(1);
    await all.dispose();
    const passages = Array.from({ length: 60 }, (_, i) => ({ text: `the mill ${i}`, title: "Arden" }));
    const heads = async (seed: number): Promise<number[]> => {
      const store = await passageStore(engine, model, { titled: 0.4, seed });
      const found = (await store.get(passages)).map(({ head }) => head);
      await store.dispose();
      return found;
    };
    const some = await heads(1);
    const share = some.filter((head) => head === 2).length / some.length;
    expect(share).toBeGreaterThan(0.2);
    expect(share).toBeLessThan(0.6);
    expect(await heads(1)).toEqual(some);
    expect(await heads(2)).not.toEqual(some);
  });

  it("cuts what is longer than it may be, and keeps SEP", async () => {
    const model = tinyMini();
    const store = await passageStore(engine, model, { titled: 0, maxTokens: 12 });
    const [found] = await store.get([{ text: first }]);
    expect(found!.length).toBe(12);
    close(found!, statesOf(model, [cls, ...encoded(first).slice(0, 10), sep]));
    await store.dispose();
  });
});

describe("memoryTokens", () => {
  it("are the means of runs of states, the last run shorter, as 2 bits keep them", () => {
    // Tokens [6, 2, -2, -6], [0, 0, 0, 0] and [4, -12, 12, -4], in steps of 1/2.
    const values = Int8Array.of(6, 2, -2, -6, 0, 0, 0, 0, 4, -12, 12, -4);
    const states = { values, scale: 0.5, length: 3, head: 1 };
    expectClose(memoryTokens(states, 2, 4), [1.5, 0.5, -0.5, -1.5, 2, -6, 6, -2], { relative: 1e-3 });
    expectClose(memoryTokens(states, 1, 4), [3, 1, -1, -3, 0, 0, 0, 0, 2, -6, 6, -2], { relative: 1e-3 });
    expectClose(memoryTokens(states, 9, 4), [5 / 3, -5 / 3, 5 / 3, -5 / 3], { relative: 1e-3 });
  });
});
