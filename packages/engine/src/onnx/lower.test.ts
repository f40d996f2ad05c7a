import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { matMulNBits, quantizeNBits, tf } from "@clara/tensor";
import { describe, expect, it } from "vitest";
import { compileProgram, type Fn, floats, ortTensor, session } from "../kernels/check.testing.ts";
import type { Program } from "../program.ts";
import { trace } from "../trace/trace.ts";
import { type LowerOptions, lower } from "./lower.ts";
import type { Place } from "./model.ts";

const [N, K, blockSize] = [6, 64, 32];
const { packed, scales } = quantizeNBits(
  Float32Array.from({ length: N * K }, (_, i) => Math.sin(i)),
  [N, K],
  blockSize,
);
const weights = {
  packed: { shape: [N, K / 8], dtype: "int32" },
  scales: { shape: [N, K / blockSize], dtype: "float32" },
} as const;
const bytes = (data: Int32Array | Float32Array): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** x·Wᵀ and its gradient for x [3, K], with a weight of 4 bits. */
const quantized: Program = trace({
  fn: ({ x }, { packed, scales }) => {
    const weight = { packed: packed as tf.Tensor2D, scales: scales as tf.Tensor2D, blockSize };
    const { value, grad } = tf.valueAndGrad((x) => tf.sum(tf.square(matMulNBits(x, weight))))(x!);
    return [matMulNBits(x!, weight), value, grad];
  },
  inputs: { x: { shape: [3, K], dtype: "float32" } },
  weights,
}).program;

const x = tf.tidy(() => tf.cos(tf.reshape(tf.range(0, 3 * K), [3, K])));

async function results(
  ...options: Parameters<typeof session> extends [Program, ...infer Rest] ? Rest : never
): Promise<number[][]> {
  const run = await session(quantized, ...options);
  return (await run({ x })).map(({ data }) => Array.from(data as Float32Array));
}

describe("lower", () => {
  it("declares packed weights as the bytes that they are, wherever they lie", async () => {
    const folder = mkdtempSync(join(tmpdir(), "clara-lower-"));
    writeFileSync(join(folder, "weights.bin"), Buffer.concat([new Uint8Array(64), bytes(packed), bytes(scales)]));
    const inFile: Record<string, Place> = {
      packed: { kind: "file", location: "weights.bin", offset: 64, length: packed.byteLength },
      scales: { kind: "file", location: "weights.bin", offset: 64 + packed.byteLength, length: scales.byteLength },
    };
    const data: Record<string, Uint8Array> = { packed: bytes(packed), scales: bytes(scales) };
    const expected = tf.tidy(() => {
      const weight = {
        packed: tf.tensor2d(packed, [N, K / 8], "int32"),
        scales: tf.tensor2d(scales, [N, K / blockSize]),
        blockSize,
      };
      return Array.from(matMulNBits(x, weight).dataSync());
    });
    const all = [
      await results({ weight: (name) => ({ kind: "model", data: data[name]! }) }),
      await results({ weight: (name) => ({ kind: "memory", data: data[name]! }) }),
      await results(
        { weight: (name) => inFile[name]! },
        { extra: { session: { model_external_initializers_file_folder_path: folder } } },
      ),
    ];
    rmSync(folder, { recursive: true, force: true });
    for (const [y, , gradient] of all) {
      expect(y!.map((value, i) => Math.abs(value - expected[i]!)).every((off) => off < 1e-4)).toBe(true);
      expect(gradient).toEqual(all[0]![2]);
    }
  });

  it("keeps packed weights whole numbers where something else reads them", async () => {
    const { program } = trace({
      fn: ({ x }, { packed, scales }) => {
        const weight = { packed: packed as tf.Tensor2D, scales: scales as tf.Tensor2D, blockSize };
        return [matMulNBits(x!, weight), tf.sum(packed!), packed!];
      },
      inputs: { x: { shape: [3, K], dtype: "float32" } },
      weights,
    });
    const weight = (name: string): Place => ({ kind: "model", data: bytes(name === "packed" ? packed : scales) });
    const [y, sum, words] = await (await session(program, { weight }))({ x });
    expect(Array.from(y!.data as Float32Array)).toEqual((await results({ weight }))[0]);
    expect(sum!.data[0]).toBe(packed.reduce((a, b) => (a + b) | 0, 0));
    expect(words!.data).toEqual(packed);
  });

  it("takes packed weights apart by arithmetic only when they are fed", () => {
    const text = (options: LowerOptions): string => Buffer.from(lower(quantized, options).model).toString("latin1");
    const data = (name: string): Uint8Array => bytes(name === "packed" ? packed : scales);
    expect(text({ weight: (name) => ({ kind: "model", data: data(name) }) }).includes("BitShift")).toBe(false);
    expect(text({}).includes("BitShift")).toBe(true);
  });

  it("rounds the inputs of packed weights when asked to", async () => {
    const weight = (name: string): Place => ({ kind: "model", data: bytes(name === "packed" ? packed : scales) });
    const text = ({ model }: { model: Uint8Array }): string => Buffer.from(model).toString("latin1");
    expect(text(lower(quantized, { weight })).includes("accuracy_level")).toBe(false);
    expect(text(lower(quantized, { weight, roundInputs: true })).includes("accuracy_level")).toBe(true);
    const [[exact], [rounded]] = [await results({ weight }), await results({ weight, roundInputs: true })];
    expect(rounded).not.toEqual(exact);
    expect(rounded!.every((value, i) => Math.abs(value - exact![i]!) < 0.2)).toBe(true);
  });

  it("adds up outputs in place when asked to", async () => {
    const program = compileProgram((x) => tf.square(x), [floats([3])]);
    const { model } = lower(program, { accumulate: new Set(["0"]) });
    const ort = await import("onnxruntime-node");
    const running = await ort.InferenceSession.create(model);
    const before = new ort.Tensor("float32", Float32Array.of(10, 20, 30), [3]);
    const feeds = { "in.x0": ortTensor(tf.tensor1d([1, 2, 3])), "add.0": before };
    const found = await running.run(feeds, { "out.0": before });
    expect(Array.from(found["out.0"]!.data as Float32Array)).toEqual([11, 24, 39]);
  });

  it("keeps large constants beside the model and small ones in it", async () => {
    const table = tf.range(0, 1000);
    const fn: Fn = (x) => tf.add(tf.mul(x, table), tf.tensor1d([5]));
    const program = compileProgram(fn, [floats([1000])]);
    const { externalData } = lower(program);
    expect(externalData.map(({ data }) => data.length)).toEqual([4000]);
    const ones = tf.ones([1000]);
    const [y] = await (await session(program))({ x0: ones });
    expect((y!.data as Float32Array)[999]).toBe(1004);
    tf.dispose([table, ones]);
  });

  it("writes equal nodes once, and what no output needs not at all", () => {
    const once = compileProgram((x) => tf.add(tf.exp(x), tf.exp(x)), [floats([3])]);
    const count = (program: Program, op: string): number =>
      Buffer.from(lower(program).model).toString("latin1").split(`${op}_`).length - 1;
    expect(once.calls.filter(({ kernel }) => kernel === "Exp")).toHaveLength(2);
    // The name of its output: in its own two fields, and as both inputs of the sum.
    expect(count(once, "Exp")).toBe(4);
  });

  it("leaves broadcasting to the nodes", () => {
    const args = [floats([2, 1]), floats([1, 3]), floats(["B", 2, 3])];
    const fn: Fn = (a, b, c) => tf.where(tf.greater(tf.add(a, b), c), tf.mul(tf.broadcastTo(a, [2, 3]), c), 0);
    expect(Buffer.from(lower(compileProgram(fn, args)).model).includes("Expand")).toBe(false);
  });

  it("refuses a kernel that it does not know", () => {
    const call = { kernel: "Unheard", inputs: {}, attrs: {}, outputs: [0] };
    const program: Program = {
      values: [{ shape: [], dtype: "float32" }],
      inputs: [],
      constants: [],
      calls: [call],
      outputs: [{ name: "y", value: 0 }],
    };
    expect(() => lower(program)).toThrow(/kernel Unheard cannot be written as ONNX/);
  });

  it("refuses a size that is not a whole number at every size", () => {
    const half = { terms: [{ times: 0.5, powers: { T: 1 } }] };
    const T = { terms: [{ times: 1, powers: { T: 1 } }] };
    const program: Program = {
      values: [
        { shape: [T], dtype: "float32" },
        { shape: [half, 2], dtype: "float32" },
      ],
      inputs: [{ name: "x", value: 0, from: "call" }],
      constants: [],
      calls: [{ kernel: "Reshape", inputs: { x: 0 }, attrs: { shape: [-1, 2] }, outputs: [1] }],
      outputs: [{ name: "y", value: 1 }],
    };
    expect(() => lower(program)).toThrow(/a size would be 0\.5·T, which is not a whole number at every size/);
  });
});
