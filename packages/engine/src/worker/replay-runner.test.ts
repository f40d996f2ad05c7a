import { composedKernels, dropout, tf } from "@clara/tensor";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { Program } from "../program.ts";
import type { HostTensor } from "../protocol.ts";
import type { Specs } from "../specs.ts";
import { programOf } from "../trace/program-of.ts";
import { replayRunner } from "./replay-runner.ts";
import type { Param, Runner } from "./runner.ts";

const floats = (...numbers: number[]): HostTensor => ({ data: Float32Array.from(numbers), shape: [numbers.length] });
const frozen = (...numbers: number[]): Param => ({ ...floats(...numbers), dtype: "float32", trainable: false });
const options = { prepack: true };

type Fn = Parameters<typeof programOf>[0];
async function program(
  fn: Fn,
  specs: Specs,
  params: Record<string, Param> = {},
): Promise<[Program, Map<string, Param>]> {
  const { program } = await programOf(fn, specs, { weights: params, kernelSet: "composed" });
  return [program, new Map(Object.entries(params))];
}

let runner: Runner;
beforeAll(async () => {
  runner = await replayRunner("cpu", {});
});

const specs = { x: { shape: ["N"] } };
/** Tensors that live: those of the worker too, as it is this thread. */
const alive = (): number => tf.memory().numTensors;

describe("replaying a program on TensorFlow.js", () => {
  it("frees every tensor of a run, weights and constants with the function, and all when a run fails", async () => {
    const before = alive();
    const fn: Fn = ({ x, at }, { w }) => {
      const step = tf.range(0, 2, 1, "int32"); // a constant of several numbers
      const some = tf.gather(tf.add(tf.mul(x!, w!), tf.fill([x!.shape[0]!], 3)), at as tf.Tensor1D);
      return [some, tf.gather(x!, step), tf.scalar(5), x!, w!];
    };
    const loaded = await runner.load(
      ...(await program(fn, { ...specs, at: { shape: ["M"], dtype: "int32" } }, { w: frozen(2) })),
      options,
    );
    const held = alive();
    const at = (place: number): HostTensor => ({ data: Int32Array.of(place), shape: [1] });
    for (let i = 0; i < 3; i++) {
      const results = await loaded.run({ x: floats(1, 2, 3), at: at(2) }, { N: 3, M: 1 });
      expect(Object.values(results).map(({ data }) => [...data])).toEqual([[9], [1, 2], [5], [1, 2, 3], [2]]);
      expect(alive()).toBe(held);
    }
    await expect(loaded.run({ x: floats(1, 2, 3), at: at(7) }, { N: 3, M: 1 })).rejects.toThrow(/7/);
    expect(alive()).toBe(held);
    await loaded.release();
    await loaded.release();
    expect(alive()).toBe(before);
  });

  it("frees a tensor as soon as nothing needs it any more", async () => {
    const fn: Fn = ({ x }) => {
      let y: tf.Tensor = x!;
      for (let i = 0; i < 20; i++) y = tf.sin(y);
      return y;
    };
    const loaded = await runner.load(...(await program(fn, specs)), options);
    const before = alive();
    const kernels = vi.spyOn(tf.engine(), "runKernel");
    const seen: number[] = [];
    kernels.mockImplementation(function (this: ReturnType<typeof tf.engine>, ...call) {
      seen.push(alive() - before);
      return Object.getPrototypeOf(tf.engine()).runKernel.apply(tf.engine(), call);
    });
    await loaded.run({ x: floats(1) }, { N: 1 });
    kernels.mockRestore();
    expect(seen).toEqual(Array(20).fill(1));
  });

  it("hands out arrays of its own: neither inputs nor weights can be changed through results", async () => {
    const w = frozen(1, 2);
    const loaded = await runner.load(...(await program(({ x }, { w }) => [x!, w!], specs, { w })), options);
    const x = floats(3, 4);
    const [first, second] = Object.values(await loaded.run({ x }, { N: 2 }));
    (first!.data as Float32Array).fill(0);
    (second!.data as Float32Array).fill(0);
    expect([...x.data, ...w.data!]).toEqual([3, 4, 1, 2]);
    const again = Object.values(await loaded.run({ x }, { N: 2 }));
    expect(again.map(({ data }) => [...data])).toEqual([
      [3, 4],
      [1, 2],
    ]);
    await loaded.release();
  });

  it("reads trainable parameters anew at each run", async () => {
    const w = { ...frozen(1), trainable: true };
    const loaded = await runner.load(...(await program(({ x }, { w }) => tf.mul(x!, w!), specs, { w })), options);
    expect((await loaded.run({ x: floats(2) }, { N: 1 })).output!.data[0]).toBe(2);
    w.data![0] = 10;
    expect((await loaded.run({ x: floats(2) }, { N: 1 })).output!.data[0]).toBe(20);
    await loaded.release();
  });

  it("writes or adds outputs into the arrays that are given", async () => {
    const parts = await program(({ x }) => ({ twice: tf.mul(x!, 2), square: tf.square(x!) }), specs);
    const into = { twice: new Float32Array(2), square: new Float32Array(2) };
    const write = await runner.load(...parts, options);
    const add = await runner.load(...parts, { ...options, accumulate: new Set(["square"]) });
    await write.run({ x: floats(1, 2) }, { N: 2 }, into);
    expect(await add.run({ x: floats(3, 4) }, { N: 2 }, into)).toEqual({
      twice: { data: into.twice, shape: [2] },
      square: { data: into.square, shape: [2] },
    });
    expect([...into.twice, ...into.square]).toEqual([6, 8, 10, 20]);
  });

  it("computes kernels on bits in JavaScript, and leaves the current back end as it was", async () => {
    expect(Object.keys(composedKernels)).toContain("ClaraDropoutMask");
    // Another back end than the one that the kernel is computed on, with the same kernels.
    tf.registerBackend("other", () => tf.findBackendFactory("cpu")() as tf.KernelBackend);
    tf.copyRegisteredKernels("cpu", "other");
    await tf.setBackend("other");
    const step = { data: Int32Array.of(3), shape: [] };
    const fn: Fn = ({ x, step }) => dropout(x!, { rate: 0.5, seed: 1, step: step as tf.Scalar });
    const loaded = await runner.load(
      ...(await program(fn, { ...specs, step: { shape: [], dtype: "int32" } })),
      options,
    );
    const before = alive();
    const { output } = await loaded.run({ x: floats(1, 1, 1, 1, 1, 1), step }, { N: 6 });
    const eager = tf.tidy(() => dropout(tf.ones([6]), { rate: 0.5, seed: 1, step: tf.scalar(3, "int32") }).dataSync());
    expect(output!.data).toEqual(eager);
    expect([alive(), tf.getBackend()]).toEqual([before, "other"]);
    await tf.setBackend("cpu");
    tf.removeBackend("other");
  });

  it("has one tensor of a frozen parameter for all functions, until the last is released", async () => {
    const before = alive();
    const w = frozen(2, 3);
    const parts = await program(({ x }, { w }) => tf.mul(x!, w!), { x: { shape: [2] } }, { w });
    const [first, second] = [await runner.load(...parts, options), await runner.load(...parts, options)];
    expect(alive()).toBe(before + 1);
    await first!.release();
    expect((await second!.run({ x: floats(1, 1) }, { N: 2 })).output!.data).toEqual(Float32Array.of(2, 3));
    await second!.release();
    expect(alive()).toBe(before);
  });
});
