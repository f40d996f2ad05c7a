import type { ClaraError } from "@clara/core";
import { tf } from "@clara/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Compiled } from "./compile.ts";
import { createEngine, type Engine } from "./engine.ts";
import type { HostTensor, HostTensors } from "./protocol.ts";
import type { Specs } from "./specs.ts";

const floats = (...shape: number[]): HostTensor => ({
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  shape,
});

describe.each(["compiled", "cpu"] as const)("what the engine %s refuses", (prefer) => {
  let engine: Engine;
  let sum: Compiled;
  const specs: Specs = { x: { shape: ["B", 3] }, y: { shape: ["B"] }, rows: { shape: [2], dtype: "int32" } };
  const good: HostTensors = { x: floats(4, 3), y: floats(4), rows: { data: Int32Array.of(1, 3), shape: [2] } };

  beforeAll(async () => {
    engine = await createEngine({ prefer, threads: 1 });
    const fn = ({ x, y, rows }: Record<string, tf.Tensor>): tf.Tensor =>
      tf.gather(tf.add(tf.sum(x!, 1), y!), rows as tf.Tensor1D);
    sum = await engine.compile(fn, specs);
  });
  afterAll(() => engine.dispose());

  it.each<[string, HostTensors | Record<string, unknown>, RegExp]>([
    ["a wrong size", { ...good, x: floats(4, 2) }, /input x must be float32 \[B, 3\], got float32 \[4, 2\]/],
    ["a wrong rank", { ...good, x: floats(12) }, /input x must be float32 \[B, 3\], got float32 \[12\]/],
    ["a wrong type", { ...good, x: { data: new Int32Array(12), shape: [4, 3] } }, /input x .* got int32 \[4, 3\]/],
    ["an array of another kind", { ...good, x: { data: new Float64Array(12), shape: [4, 3] } }, /got Float64Array/],
    ["one name with two sizes", { ...good, y: floats(5) }, /input y .* got float32 \[5\], with B = 4 elsewhere/],
    ["a size of zero", { ...good, x: floats(0, 3), y: floats(0) }, /input x .* at least 1/],
    ["fewer numbers than sizes", { ...good, y: { data: new Float32Array(3), shape: [4] } }, /\[4\] with 3 numbers/],
    ["a missing input", { x: good.x, rows: good.rows }, /input y must be float32 \[B\], got nothing/],
    ["an unknown input", { ...good, z: floats(1) }, /no input z; inputs are x, y, rows/],
    ["a plain array", { ...good, y: new Float32Array(4) }, /input y .* got something else than \{ data, shape \}/],
    ["2 GiB", { ...good, x: floats(2 ** 28, 3), y: floats(2 ** 28) }, /x .* 3\.0 GiB, and at most 2 GiB .* split/],
  ])("%s", async (_, inputs, reason) => {
    await expect(sum.run(inputs as HostTensors)).rejects.toMatchObject({
      name: "ClaraError",
      code: "shape",
      message: expect.stringMatching(reason),
    });
    expect((await sum.run(good)).output!.shape).toEqual([2]);
  });

  it("tensors that are none, disposed or alone", async () => {
    const tensors = { x: tf.zeros([4, 3]), y: tf.zeros([4]), rows: tf.tensor([1, 3], [2], "int32") };
    await expect(sum({ ...tensors, y: [0, 0, 0, 0] as unknown as tf.Tensor })).rejects.toMatchObject({
      code: "shape",
      message: expect.stringContaining("the input y must be a tensor; for arrays use run()"),
    });
    await expect(sum(tensors.x as never)).rejects.toMatchObject({ code: "shape" });
    tensors.y.dispose();
    await expect(sum(tensors)).rejects.toMatchObject({
      code: "engine",
      message: expect.stringMatching(/input y \[4\] has been disposed/),
    });
    tf.dispose(tensors);
  });

  it("a place that is not there, and goes on", async () => {
    const rows = { data: Int32Array.of(1, 4), shape: [2] };
    await expect(sum.run({ ...good, rows })).rejects.toMatchObject({
      code: "engine",
      message: expect.stringMatching(/^engine \w+: compiled function: .*\b4\b/),
    });
    expect((await sum.run(good)).output!.shape).toEqual([2]);
  });

  it("a result that no memory holds, and goes on", async () => {
    const square = await engine.compile(({ x }) => tf.matMul(tf.reshape(x!, [-1, 1]), tf.reshape(x!, [1, -1])), {
      x: { shape: ["N"] },
    });
    await expect(square.run({ x: floats(2 ** 21) })).rejects.toMatchObject({
      code: "engine",
      message: expect.stringMatching(
        /compiled function: out of memory with N = 2097152; its largest tensor, float32 \[2097152, 2097152\], takes 16\.0 TiB/,
      ),
    });
    expect((await square.run({ x: floats(2) })).output!.shape).toEqual([2, 2]);
  });

  it("a step on the way that no memory holds, and goes on", async () => {
    const square = await engine.compile(
      ({ x }) => tf.sum(tf.matMul(tf.reshape(x!, [-1, 1]), tf.reshape(x!, [1, -1])), 0),
      { x: { shape: ["N"] } },
    );
    await expect(square.run({ x: floats(2 ** 21) })).rejects.toMatchObject({
      code: "engine",
      message: expect.stringMatching(/out of memory with N = 2097152; .* 16\.0 TiB/),
    });
    expect((await square.run({ x: floats(2) })).output!.shape).toEqual([2]);
  });

  it("parameters with NaN or infinity, by name and place", async () => {
    const w = floats(2, 3);
    for (const [bad, text] of [
      [NaN, "NaN"],
      [-Infinity, "-Infinity"],
    ] as const) {
      (w.data as Float32Array)[4] = bad;
      await expect(engine.params({ ok: floats(1), "layers.0.w": w })).rejects.toMatchObject({
        code: "weights",
        message: `engine ${prefer}: engine.params: number 4 of layers.0.w (of 6) is ${text}; it must be finite`,
      });
    }
    const params = await engine.params({ w: floats(2, 3) }, { trainable: true });
    await expect(params.write({ w })).rejects.toMatchObject({ code: "weights" });
    expect((await params.read()).w!.data).toEqual(new Float32Array(6));
  });

  it("parameters of a wrong shape, type or name", async () => {
    const refused = (arrays: Record<string, unknown>): Promise<unknown> => engine.params(arrays as HostTensors);
    await expect(refused({ w: { data: new Float32Array(5), shape: [2, 3] } })).rejects.toMatchObject({
      code: "weights",
      message: "engine.params: w [2, 3] must have 6 numbers, got 5",
    });
    await expect(refused({ w: floats(0, 3) })).rejects.toThrow("w [0, 3] has no numbers");
    await expect(refused({ w: { data: new Float64Array(1), shape: [1] } })).rejects.toThrow(/got Float64Array/);
    const params = await engine.params({ w: floats(2) }, { trainable: true });
    const written = (arrays: HostTensors): Promise<unknown> => params.write(arrays);
    await expect(written({ v: floats(2) })).rejects.toThrow("params.write: there is no parameter v");
    await expect(written({ w: floats(1, 2) })).rejects.toThrow("w must be float32 [2], got float32 [1, 2]");
    await expect(written({ w: { data: new Int32Array(2), shape: [2] } })).rejects.toThrow("got int32 [2]");
    await expect(params.read(["v"])).rejects.toMatchObject({ code: "shape" });
    const frozen = await engine.params({ w: floats(2) });
    await expect(frozen.write({ w: floats(2) })).rejects.toMatchObject({ code: "option" });
    await expect(
      engine.params({ ids: { data: new Int32Array(1), shape: [1] } }, { trainable: true }),
    ).rejects.toMatchObject({
      code: "option",
      message: expect.stringMatching(/only float32 can be trained, and ids is int32/),
    });
  });

  it("what has been disposed, and what another engine has", async () => {
    const params = await engine.params({ w: floats(3) });
    const scale = await engine.compile(({ x }, { w }) => tf.mul(x!, w!), { x: { shape: [3] } }, { params });
    await params.dispose();
    await params.dispose();
    const gone = { code: "engine", message: expect.stringMatching(/disposed, or belongs to another engine/) };
    await expect(
      engine.compile(({ x }, { w }) => tf.mul(x!, w!), { x: { shape: [3] } }, { params }),
    ).rejects.toMatchObject(gone);
    await expect(params.read()).rejects.toMatchObject(gone);
    // A function that was compiled with them goes on.
    expect((await scale.run({ x: floats(3) })).output!.shape).toEqual([3]);
    await scale.dispose();
    await expect(scale.run({ x: floats(3) })).rejects.toMatchObject(gone);
    const other = await createEngine({ prefer: "cpu" });
    try {
      const theirs = await other.params({ w: floats(3) });
      await engine.params({ w: floats(3) });
      await expect(
        engine.compile(({ x }, { w }) => tf.mul(x!, w!), { x: { shape: [3] } }, { params: theirs }),
      ).rejects.toMatchObject(gone);
    } finally {
      await other.dispose();
    }
  });

  it("specs and names that cannot be", async () => {
    const fn = ({ x }: Record<string, tf.Tensor>): tf.Tensor => tf.neg(x!);
    const refuse = async (specs: unknown, reason: RegExp): Promise<void> => {
      const error = await engine.compile(fn, specs as Specs).catch((error: ClaraError) => error);
      expect(error).toMatchObject({ code: "option", message: expect.stringMatching(reason) });
    };
    await refuse({ x: { shape: [0] } }, /specs\.x: sizes are names or integers of at least 1, got \[0\]/);
    await refuse({ x: { shape: [""] } }, /specs\.x/);
    await refuse(
      { x: { shape: [1], dtype: "float16" } },
      /specs\.x: dtype must be float32, int32 or bool, got float16/,
    );
    const w = await engine.params({ w: floats(1) });
    const again = await engine.params({ w: floats(1) });
    await expect(engine.compile(fn, { x: { shape: [1] } }, { params: [w, again] })).rejects.toMatchObject({
      code: "option",
      message: "compile: two stores have a parameter w",
    });
  });

  it("a captured tensor that has been disposed, with the line that uses it", async () => {
    const captured = tf.tensor1d([1, 2]);
    captured.dispose();
    await expect(engine.compile(({ x }) => tf.add(x!, captured), { x: { shape: [2] } })).rejects.toMatchObject({
      code: "engine",
      message: expect.stringMatching(/^compile: .*disposed.*bad-input\.test\.ts:\d+/),
    });
  });
});
