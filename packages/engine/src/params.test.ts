import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { matMulNBits, quantizeNBits, tf } from "@clara/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEngine, type Engine } from "./engine.ts";
import type { HostTensor, HostTensors } from "./protocol.ts";

const folder = mkdtempSync(join(tmpdir(), "clara-params-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes arrays as a safetensors file. */
function save(name: string, arrays: HostTensors): string {
  let end = 0;
  const header = Object.entries(arrays).map(([name, { data, shape }]) => {
    const dtype = data instanceof Int32Array ? "I32" : "F32";
    const start = end;
    end += data.byteLength;
    return [name, { dtype, shape, data_offsets: [start, end] }];
  });
  const text = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(text.length));
  const numbers = Object.values(arrays).map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  writeFileSync(join(folder, name), Buffer.concat([start, text, ...numbers]));
  return join(folder, name);
}

const waves = (...shape: number[]): HostTensor => ({
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * i)),
  shape,
});

describe.each(["compiled", "cpu"] as const)("parameters in the engine %s", (prefer) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ prefer, threads: 1 });
  });
  afterAll(() => engine.dispose());

  it("compute the same from a file as from arrays, prepacked or not, with others beside them", async () => {
    const arrays = { words: waves(9, 64), w: waves(64, 48) };
    const bias = { bias: waves(48) };
    const [file, other] = [save("model.safetensors", arrays), save("other.safetensors", bias)];
    const fn = ({ ids }: Record<string, tf.Tensor>, p: Record<string, tf.Tensor>): tf.Tensor => {
      const rows = tf.gather(p.words!, ids as tf.Tensor1D) as tf.Tensor2D;
      return tf.relu(tf.add(tf.matMul(rows, p.w as tf.Tensor2D), p.bias!));
    };
    const specs = { ids: { shape: ["T"], dtype: "int32" } } as const;
    const ids = { ids: { data: Int32Array.of(8, 0, 3), shape: [3] } };
    const expected = await engine.compile(fn, specs, { params: await engine.params({ ...arrays, ...bias }) });
    const { output } = await expected.run(ids);
    const mapped = await engine.params({ file });
    for (const second of [await engine.params({ file: relative(process.cwd(), other) }), await engine.params(bias)]) {
      for (const prepack of [undefined, false, "packed", true] as const) {
        const params = [mapped, second];
        const compiled = await engine.compile(fn, specs, { params, ...(prepack !== undefined && { prepack }) });
        expect((await compiled.run(ids)).output).toEqual(output);
      }
    }
    expect([mapped.mapped, mapped.trainable]).toEqual([true, false]);
    expect(mapped.shapes).toEqual({
      words: { shape: [9, 64], dtype: "float32" },
      w: { shape: [64, 48], dtype: "float32" },
    });
    expect(await mapped.read(["w"])).toEqual({ w: arrays.w });
  });

  it("are of 4 bits in a file too", async () => {
    const { data } = waves(6, 32);
    const { packed, scales } = quantizeNBits(data as Float32Array, [6, 32], 16);
    const arrays = { packed: { data: packed, shape: [6, 4] }, scales: { data: scales, shape: [6, 2] } };
    const fn = ({ x }: Record<string, tf.Tensor>, p: Record<string, tf.Tensor>): tf.Tensor =>
      matMulNBits(x!, { packed: p.packed as tf.Tensor2D, scales: p.scales as tf.Tensor2D, blockSize: 16 });
    const results = [];
    for (const source of [arrays, { file: save("small.safetensors", arrays) }]) {
      const params = await engine.params(source as HostTensors);
      const compiled = await engine.compile(fn, { x: { shape: ["B", 32] } }, { params });
      results.push((await compiled.run({ x: waves(2, 32) })).output);
    }
    expect(results[1]).toEqual(results[0]);
  });

  it("are one copy for all functions: what is written shows in each", async () => {
    const params = await engine.params({ w: waves(3), v: waves(2) }, { trainable: true });
    const specs = { x: { shape: [3] } };
    const product = await engine.compile(({ x }, { w }) => tf.mul(x!, w!), specs, { params });
    const sum = await engine.compile(({ x }, { w }) => tf.add(x!, w!), specs, { params });
    const w = { data: Float32Array.of(1, 2, 3), shape: [3] };
    await params.write({ w });
    const inputs = { x: { data: Float32Array.of(2, 2, 2), shape: [3] } };
    expect((await product.run(inputs)).output!.data).toEqual(Float32Array.of(2, 4, 6));
    expect((await sum.run(inputs)).output!.data).toEqual(Float32Array.of(3, 4, 5));
    const read = await params.read();
    expect(read).toEqual({ w, v: waves(2) });
    (read.w!.data as Float32Array).fill(0);
    expect(await params.read(["w"])).toEqual({ w });
  });

  it("are one copy for all functions that do not prepack, with packed ones beside them", async () => {
    const size = 2048; // 16 MiB
    const { data } = waves(6, 32);
    const { packed, scales } = quantizeNBits(data as Float32Array, [6, 32], 16);
    const small = { packed: { data: packed, shape: [6, 4] }, scales: { data: scales, shape: [6, 2] } };
    const large = { shape: [size, size], data: new Float32Array(size * size).fill(1 / size) };
    const params = await engine.params({ ...small, large }, { transfer: true });
    const inputs = { x: waves(1, 32), y: { shape: [1, size], data: new Float32Array(size).fill(2) } };
    const build = async (prepack: boolean) => {
      const fn = ({ x, y }: Record<string, tf.Tensor>, p: Record<string, tf.Tensor>) => ({
        few: matMulNBits(x!, { packed: p.packed as tf.Tensor2D, scales: p.scales as tf.Tensor2D, blockSize: 16 }),
        many: tf.matMul(y as tf.Tensor2D, p.large as tf.Tensor2D),
      });
      const specs = { x: { shape: ["B", 32] }, y: { shape: ["B", size] } };
      const compiled = await engine.compile(fn, specs, { params, prepack });
      return compiled.run(inputs);
    };
    const first = await build(false);
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 5; i++) expect(await build(false)).toEqual(first);
    expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(40); // copies would be 80
    const packedAnew = (await build(true)).few!.data;
    first.few!.data.forEach((value, i) => void expect(packedAnew[i]).toBeCloseTo(value, 4));
  });

  it("are copied from the caller's arrays, or moved when asked", async () => {
    const [kept, moved] = [waves(3), waves(3)];
    const first = await engine.params({ w: kept });
    (kept.data as Float32Array).fill(0);
    expect(await first.read()).toEqual({ w: waves(3) });
    const second = await engine.params({ w: moved }, { transfer: true });
    expect(moved.data).toHaveLength(0);
    expect(await second.read()).toEqual({ w: waves(3) });
  });
});
