import { ClaraError, type Weights } from "@clara/core";
import { tf } from "@clara/tensor";
import { expectClose } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { bertEmbeddings } from "./bert-embeddings.ts";
import { bertEncoder } from "./bert-encoder.ts";
import { eagerEngine } from "./eager.testing.ts";
import { batchOf, bertInLoops, randomWeights, tiny } from "./tiny-bert.testing.ts";

const { layers, heads, D, F } = tiny;
// Norms that leave something of their input: an update must show in the states.
const weights = Object.fromEntries(
  Object.entries(randomWeights()).map(([name, { shape, data }]) => [
    name,
    { shape, data: name.endsWith("LayerNorm.weight") ? data.map((x) => x + 1.5) : data },
  ]),
);
const open = (adapter?: Weights, engine = eagerEngine()) =>
  bertEncoder(engine, { weights, layers, heads, ...(adapter && { adapter }) });
const ids = [3, 19, 0, 7];

/** Hugging Face's names of the maps, with their sizes. */
const maps: Record<string, [name: string, I: number, O: number]> = {
  "layers.0.attention.query": ["encoder.layer.0.attention.self.query", D, D],
  "layers.1.attention.key": ["encoder.layer.1.attention.self.key", D, D],
  "layers.0.attention.value": ["encoder.layer.0.attention.self.value", D, D],
  "layers.1.attention.output": ["encoder.layer.1.attention.output.dense", D, D],
  "layers.1.feedForward.in": ["encoder.layer.1.intermediate.dense", D, F],
  "layers.0.feedForward.out": ["encoder.layer.0.output.dense", F, D],
};

/** An update for each of these maps, of this rank; of zeros, or of numbers that matter. */
function updates(paths: readonly string[], scale = 0.5, R = 2): Weights {
  const drawn = (shape: number[], seed: number) => ({
    shape,
    data: Float32Array.from({ length: shape[0]! * shape[1]! }, (_, i) => Math.sin(seed + 2 * i)),
  });
  return Object.fromEntries(
    paths.flatMap((path, seed) => {
      const [, I, O] = maps[path]!;
      const b = drawn([R, O], seed + 0.5);
      return [
        [`${path}.a`, drawn([I, R], seed)],
        [`${path}.b`, { ...b, data: b.data.map((x) => scale * x) }],
      ];
    }),
  );
}

/** The checkpoint with the updates in its weights, [O, I]. */
function merged(adapter: Weights): Weights {
  const changed = Object.entries(maps).flatMap(([path, [name, I, O]]) => {
    const [a, b] = [adapter[`${path}.a`]?.data, adapter[`${path}.b`]?.data];
    if (!a || !b) return [];
    const R = a.length / I;
    const data = weights[`${name}.weight`]!.data.slice();
    for (let o = 0; o < O; o++) {
      for (let i = 0; i < I; i++) for (let r = 0; r < R; r++) data[o * I + i]! += a[i * R + r]! * b[r * O + o]!;
    }
    return [[`${name}.weight`, { shape: [O, I], data }] as const];
  });
  return { ...weights, ...Object.fromEntries(changed) };
}

describe("bertEncoder with an adapter", () => {
  it("is the encoder without one where the update is zero", async () => {
    const [plain, zero] = await Promise.all([open(), open(updates(Object.keys(maps), 0))]);
    expectClose(await zero.run(batchOf([ids])), await plain.run(batchOf([ids])));
  });

  it("adds each map's update as if it were merged into the weight", async () => {
    const types = ids.map(() => 0);
    for (const paths of [...Object.keys(maps).map((path) => [path]), Object.keys(maps)]) {
      const adapter = updates(paths);
      const states = await (await open(adapter)).run(batchOf([ids]));
      const expected = bertInLoops(merged(adapter), ids, types, tiny);
      expectClose(tf.tensor1d(states), expected, { absolute: 1e-5 });
      const plain = bertInLoops(weights, ids, types, tiny);
      expect(Math.max(...expected.map((x, i) => Math.abs(x - plain[i]!))), paths[0]).toBeGreaterThan(0.01);
    }
  });

  it.each([1, 3, 4, 6])("adds updates of rank %i", async (rank) => {
    const adapter = updates(Object.keys(maps), 0.5, rank);
    const states = await (await open(adapter)).run(batchOf([ids]));
    const types = ids.map(() => 0);
    expectClose(tf.tensor1d(states), bertInLoops(merged(adapter), ids, types, tiny), { absolute: 1e-5 });
  });

  it("leaves another encoder over the same table as it is, and frees its own", async () => {
    const engine = eagerEngine();
    const embeddings = bertEmbeddings(engine, weights);
    const options = { weights, layers, heads, embeddings };
    const adapter = updates(["layers.0.attention.query"]);
    const [plain, changed] = await Promise.all([
      bertEncoder(engine, options),
      bertEncoder(engine, { ...options, adapter }),
    ]);
    // The table, two stacks, two functions.
    expect(engine.alive.size).toBe(5);
    await changed.dispose();
    expect(engine.alive.size).toBe(3);
    const states = await plain.run(batchOf([ids]));
    expectClose(tf.tensor1d(states), bertInLoops(weights, ids, [0, 0, 0, 0], tiny), { absolute: 1e-5 });
    for (const part of [plain, embeddings]) await part.dispose();
    expect([...engine.alive]).toEqual([]);
    expect(adapter).toEqual(updates(["layers.0.attention.query"]));
  });

  it("is the same compiled function, over other weights", async () => {
    const engine = eagerEngine();
    await open(undefined, engine);
    await open(updates(["layers.1.attention.key", "layers.0.attention.query"]), engine);
    const [plain, changed] = engine.log.filter((line) => line.startsWith("compile"));
    expect(plain).toBeDefined();
    expect(changed).toBe(plain);
  });

  it("refuses updates that fit no map, naming them, and leaves nothing in the engine", async () => {
    const path = "layers.0.feedForward.in";
    const zeros = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((x, y) => x * y, 1)) });
    const needs = `"${path}" needs a [8, R] and b [R, 12], got`;
    const wrong: [Weights, string][] = [
      [{ [`${path}.a`]: zeros(7, 2), [`${path}.b`]: zeros(2, 12) }, `${needs} a [7, 2] and b [2, 12]`],
      [{ [`${path}.a`]: zeros(8, 2), [`${path}.b`]: zeros(3, 12) }, `${needs} a [8, 2] and b [3, 12]`],
      [{ [`${path}.a`]: zeros(8, 2), [`${path}.b`]: zeros(2, 8) }, `${needs} a [8, 2] and b [2, 8]`],
      [{ [`${path}.a`]: zeros(8), [`${path}.b`]: zeros(2, 12) }, `${needs} a [8] and b [2, 12]`],
      [{ [`${path}.a`]: zeros(8, 2, 1), [`${path}.b`]: zeros(2, 12) }, `${needs} a [8, 2, 1] and b [2, 12]`],
      [{ [`${path}.a`]: zeros(8, 2), [`${path}.b`]: zeros(2, 12, 1) }, `${needs} a [8, 2] and b [2, 12, 1]`],
      [{ [`${path}.a`]: zeros(8, 2) }, `${needs} a [8, 2] and b none`],
      [{ [`${path}.b`]: zeros(2, 12) }, `${needs} a none and b [2, 12]`],
      ...["layers.2.attention.query.a", "layers.0.attention.norm.a", `${path}.c`, "query"].map(
        (name): [Weights, string] => [
          { [name]: zeros(8, 2) },
          `no linear map has an update "${name}"; names are such as "layers.0.attention.query.a"`,
        ],
      ),
    ];
    for (const [adapter, message] of wrong) {
      const engine = eagerEngine();
      const error = await open(adapter, engine).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(ClaraError);
      expect(error).toMatchObject({ code: "weights", message: `bertEncoder: adapter: ${message}` });
      expect([...engine.alive]).toEqual([]);
    }
  });
});
