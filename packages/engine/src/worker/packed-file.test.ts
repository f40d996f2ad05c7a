import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { matMulNBits, type NBits, quantizeNBits, tf } from "@clara/tensor";
import { afterAll, describe, expect, it } from "vitest";
import { lower } from "../onnx/lower.ts";
import type { Program } from "../program.ts";
import type { LoadOptions } from "../protocol.ts";
import { programOf } from "../trace/program-of.ts";
import { ortRunner } from "./ort-runner.ts";
import type { Param } from "./runner.ts";
import { createStore } from "./stores.ts";

process.env.ORT_DISABLE_TELEMETRY = "1"; // read when the library loads

const folder = mkdtempSync(join(tmpdir(), "clara-packed-"));
afterAll(() => rmSync(folder, { recursive: true }));

const [K, N, blockSize] = [64, 48, 32];
const weight = Float32Array.from({ length: N * K }, (_, i) => Math.sin(i * 1.7));
const x = Float32Array.from({ length: 3 * K }, (_, i) => Math.cos(i));

/** Two products with weights of a file, and the store that the file becomes. */
async function opened(bits: NBits): Promise<{ program: Program; store: ReadonlyMap<string, Param> }> {
  const { packed, scales } = quantizeNBits(weight, [N, K], blockSize, bits);
  const arrays = { packed, scales };
  let end = 0;
  const header = Object.entries(arrays).map(([name, { byteLength, length }]) => {
    const entry = {
      dtype: name === "packed" ? "I32" : "F32",
      shape: [N, length / N],
      data_offsets: [end, end + byteLength],
    };
    end += byteLength;
    return [name, entry];
  });
  const text = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(text.length));
  const file = join(folder, `${bits}.safetensors`);
  writeFileSync(file, Buffer.concat([start, text, ...Object.values(arrays).map(({ buffer }) => Buffer.from(buffer))]));
  const store = await createStore({ file }, false);
  const { program } = await programOf(
    ({ x }, { packed, scales }) => {
      const own = { packed: packed as tf.Tensor2D, scales: scales as tf.Tensor2D, blockSize, bits };
      return { once: matMulNBits(x!, own), twice: matMulNBits(tf.add(x!, 1), own) };
    },
    { x: { shape: ["B", K] } },
    { weights: Object.fromEntries(store), kernelSet: "fused" },
  );
  return { program, store };
}

describe.each([4, 8] as const)("weights of %i bits in a file", (bits) => {
  it("stay packed and stay in the file: the graph multiplies by their bytes", async () => {
    const { program, store } = await opened(bits);
    expect([...store.values()].map(({ dtype, data }) => [dtype, data])).toEqual([
      ["int32", undefined],
      ["float32", undefined],
    ]);
    const { model, externalData } = lower(program, { weight: (name) => ({ kind: "file", ...store.get(name)!.file! }) });
    const text = Buffer.from(model).toString("latin1");
    expect(text.split("MatMulNBits").length - 1).toBeGreaterThanOrEqual(2);
    expect(text).not.toMatch(/BitShift|Dequantize|GatherBlockQuantized|Cast/);
    expect(externalData).toEqual([]);
    expect(model.length).toBeLessThan((N * K * bits) / 8); // no room for the numbers
  });

  it("are put in the order of the product unless nothing is, and inputs are rounded when asked to", async () => {
    const { program, store } = await opened(bits);
    const runner = await ortRunner({ threads: 1 });
    const run = async (options: LoadOptions): Promise<number[]> => {
      const loaded = await runner.load(program, store, options);
      const { once } = await loaded.run({ x: { data: x, shape: [3, K] } }, { B: 3 });
      await loaded.release();
      return Array.from(once!.data);
    };
    const exact = await run({ prepack: true });
    expect(await run({ prepack: "packed" })).toEqual(exact);
    const furthest = (values: readonly number[]): number =>
      Math.max(...values.map((value, i) => Math.abs(value - exact[i]!)));
    const [asStored, rounded] = [await run({ prepack: false }), await run({ prepack: "packed", roundInputs: true })];
    expect(furthest(asStored)).toBeLessThan(1e-5);
    // Only what is in order is multiplied with rounded inputs: that is how it shows.
    expect(rounded).not.toEqual(exact);
    expect(furthest(rounded)).toBeLessThan(0.1);
  });
});
