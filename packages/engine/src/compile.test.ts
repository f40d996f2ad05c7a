import { tf } from "@clara/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileWith } from "./compile.ts";
import { type Connection, createEngine, type Engine } from "./engine.ts";
import type { Params } from "./params.ts";
import type { HostTensors, LoadOptions } from "./protocol.ts";

/** A worker that computes nothing, and what it is asked. */
function fakeConnection(): { connection: Connection; asked: [kind: string, ask: unknown][] } {
  const asked: [kind: string, ask: unknown][] = [];
  let ids = 0;
  const request = async (kind: string, ask: () => unknown): Promise<unknown> => {
    asked.push([kind, ask()]);
    return { milliseconds: 0 };
  };
  return { connection: { engine: "compiled", nextId: () => ++ids, request: request as Connection["request"] }, asked };
}

describe("what the worker is asked", () => {
  const store = (id: number, mapped: boolean): Params =>
    ({ id, mapped, trainable: false, shapes: { [`w${id}`]: { shape: [1], dtype: "float32" } } }) as unknown as Params;
  const double = ({ x }: Record<string, tf.Tensor>): tf.Tensor => tf.mul(x!, 2);

  it("is to prepack weights, of those in a file only packed ones, unless the caller says so", async () => {
    const { connection, asked } = fakeConnection();
    await compileWith(connection, double, specs);
    await compileWith(connection, double, specs, { params: store(1, false) });
    await compileWith(connection, double, specs, { params: [store(1, false), store(2, true)] });
    await compileWith(connection, double, specs, { params: store(2, true), prepack: true });
    await compileWith(connection, double, specs, { params: store(1, false), prepack: false });
    const loads = asked.map(([kind, ask]) => [kind, (ask as { options: LoadOptions }).options.prepack]);
    expect(loads).toEqual([true, true, "packed", true, false].map((prepack) => ["load", prepack]));
  });

  it("is sent the part of a buffer that is an input, not all of it", async () => {
    const { connection, asked } = fakeConnection();
    const compiled = await compileWith(connection, double, specs);
    const all = new Float32Array(1000);
    await compiled.run({ x: { data: all.subarray(10, 12), shape: [2] } });
    await compiled.run({ x: { data: all, shape: [1000] } });
    const buffers = asked.flatMap(([kind, ask]) =>
      kind === "run" ? [(ask as { inputs: HostTensors }).inputs.x!.data.buffer] : [],
    );
    expect(buffers[0]!.byteLength).toBe(8);
    expect(buffers[1]).toBe(all.buffer);
  });
});

const specs = { x: { shape: ["N"] } };
const x = (...numbers: number[]): HostTensors => ({ x: { data: Float32Array.from(numbers), shape: [numbers.length] } });

describe.each(["compiled", "cpu"] as const)("a compiled function on the engine %s", (prefer) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ prefer, threads: 1 });
  });
  afterAll(() => engine.dispose());

  it("gives back one tensor as one tensor", async () => {
    const square = await engine.compile(({ x }) => tf.square(x as tf.Tensor1D), specs);
    const result: tf.Tensor1D = await square({ x: tf.tensor1d([1, 2, 3]) });
    expect([result.shape, result.dtype, [...result.dataSync()]]).toEqual([[3], "float32", [1, 4, 9]]);
    expect(await square.run(x(4))).toEqual({ output: { data: Float32Array.of(16), shape: [1] } });
  });

  it("gives back lists and records of any depth, by name as arrays", async () => {
    const parts = await engine.compile(
      ({ x }) => ({ sum: tf.sum(x!), steps: [tf.mul(x!, 2), { deep: tf.greater(x!, 1) }], same: x! }),
      specs,
    );
    const { sum, steps, same } = await parts({ x: tf.tensor1d([1, 2]) });
    const [twice, { deep }] = steps as [tf.Tensor, { deep: tf.Tensor }];
    expect([sum, twice, deep, same].map(({ dtype, shape }) => [dtype, shape])).toEqual([
      ["float32", []],
      ["float32", [2]],
      ["bool", [2]],
      ["float32", [2]],
    ]);
    expect([sum, twice, deep, same].map((tensor) => [...tensor.dataSync()])).toEqual([[3], [2, 4], [0, 1], [1, 2]]);
    const arrays = await parts.run(x(1, 2));
    expect(Object.keys(arrays)).toEqual(["sum", "steps.0", "steps.1.deep", "same"]);
    expect(arrays["steps.1.deep"]).toEqual({ data: Uint8Array.of(0, 1), shape: [2] });
  });

  it("gives back what is no computation: an input, a weight, a constant, one tensor twice", async () => {
    const params = await engine.params({ w: { data: Int32Array.of(7), shape: [1] } });
    const inert = await engine.compile(
      ({ x }, { w }) => {
        const sum = tf.sum(x!);
        return { x: x!, w: w!, five: tf.scalar(5, "int32"), table: tf.tensor2d([1, 2, 3, 4], [2, 2]), sum, again: sum };
      },
      specs,
      { params },
    );
    const results = await inert.run(x(1, 2, 3));
    expect(
      Object.fromEntries(Object.entries(results).map(([name, { data, shape }]) => [name, [shape, [...data]]])),
    ).toEqual({
      x: [[3], [1, 2, 3]],
      w: [[1], [7]],
      five: [[], [5]],
      table: [
        [2, 2],
        [1, 2, 3, 4],
      ],
      sum: [[], [6]],
      again: [[], [6]],
    });
  });

  it("owns neither inputs nor results, and leaves no tensors of its own", async () => {
    const before = tf.memory().numTensors;
    const double = await engine.compile(({ x }) => ({ twice: tf.mul(x!, 2), none: tf.zerosLike(x!) }), specs);
    expect(tf.memory().numTensors).toBe(before);
    const inputs = { x: tf.tensor1d([1, 2]) };
    const first = await double(inputs);
    expect(tf.memory().numTensors).toBe(before + 3);
    const second = await double(inputs);
    expect([...first.twice.dataSync(), ...second.twice.dataSync()]).toEqual([2, 4, 2, 4]);
    tf.dispose([inputs, first, second]);
    expect(tf.memory().numTensors).toBe(before);
    await expect(double.run({ x: {} as never })).rejects.toMatchObject({ code: "shape" });
    expect(tf.memory().numTensors).toBe(before);
  });

  it("takes part of an array, and leaves the arrays that it is given", async () => {
    const double = await engine.compile(({ x }) => tf.mul(x!, 2), specs);
    const all = Float32Array.of(9, 1, 2, 9);
    const { output } = await double.run({ x: { data: all.subarray(1, 3), shape: [2] } });
    expect(output!.data).toEqual(Float32Array.of(2, 4));
    expect(all).toEqual(Float32Array.of(9, 1, 2, 9));
  });

  it("captures tensors as constants", async () => {
    const offset = tf.tensor1d([10, 20]);
    const shifted = await engine.compile(({ x }) => tf.add(x!, offset), { x: { shape: ["B", 2] } });
    offset.dispose();
    const { output } = await shifted.run({ x: { data: Float32Array.of(1, 2), shape: [1, 2] } });
    expect(output!.data).toEqual(Float32Array.of(11, 22));
  });

  it("runs in the order of the calls, and tells how long it took to compile", async () => {
    const double = await engine.compile(({ x }) => tf.mul(x!, 2), specs);
    const order: number[] = [];
    await Promise.all([3, 1, 2].map(async (n) => order.push((await double.run(x(n))).output!.data[0]!)));
    expect(order).toEqual([6, 2, 4]);
    expect(double.milliseconds.trace).toBeGreaterThan(0);
    expect(double.milliseconds.load).toBeGreaterThan(0);
  });

  it("has no result when the function has none", async () => {
    const nothing = engine.compile((() => undefined) as never, specs);
    await expect(nothing).rejects.toMatchObject({ code: "engine", message: expect.stringMatching(/must be a tensor/) });
    const async = engine.compile((async () => tf.scalar(1)) as never, specs);
    await expect(async).rejects.toMatchObject({ code: "engine", message: expect.stringMatching(/must not be async/) });
  });
});
