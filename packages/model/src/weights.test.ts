import { existsSync, readFileSync } from "node:fs";
import { tf } from "@clara/tensor";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bertParams } from "./bert-params.ts";
import { dequantizeRows, quantizeRows } from "./quantize.ts";
import { readSafetensors, type SafeTensor, writeSafetensors } from "./safetensors.ts";
import { readWeights } from "./weights.ts";

const asBytes = (data: Int8Array | Float32Array): Uint8Array => new Uint8Array(data.buffer);

describe("quantizeRows", () => {
  it("gives every row its own scale, its largest magnitude over 127", () => {
    const { values, scales } = quantizeRows(Float32Array.of(127, -63.6, 0, 1, -2, 0.5), [2, 3]);
    expect([...values]).toEqual([127, -64, 0, 64, -127, 32]);
    expect([...scales]).toEqual([1, Math.fround(2 / 127)]);
  });

  it("keeps a row of zeros", () => {
    const rows = quantizeRows(new Float32Array(2), [1, 2]);
    expect([...dequantizeRows(rows, [1, 2])]).toEqual([0, 0]);
  });

  it("is at most half a scale off", () => {
    const row = fc.array(fc.float({ noNaN: true, min: -1000, max: 1000 }), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(row, (numbers) => {
        const rows = quantizeRows(Float32Array.from(numbers), [2, 3]);
        const back = dequantizeRows(rows, [2, 3]);
        for (const [i, x] of numbers.entries()) {
          expect(Math.abs(back[i]! - x)).toBeLessThanOrEqual(rows.scales[i < 3 ? 0 : 1]! * 0.5001 + 1e-37);
        }
      }),
      { seed: 1 },
    );
  });

  it("refuses what is no matrix, and numbers that are not finite", () => {
    expect(() => quantizeRows(new Float32Array(4), [4])).toThrow(
      "needs a matrix [rows, columns], got 4 numbers as [4]",
    );
    expect(() => quantizeRows(new Float32Array(4), [2, 3])).toThrow("got 4 numbers as [2, 3]");
    expect(() => quantizeRows(Float32Array.of(1, Number.NaN), [1, 2])).toThrow("row 0, column 1 is NaN");
    const rows = { values: new Int8Array(4), scales: new Float32Array(3) };
    expect(() => dequantizeRows(rows, [2, 2])).toThrow("one scale for each of 2 rows, got 3");
  });
});

describe("readWeights", () => {
  const matrix: SafeTensor = { dtype: "I8", shape: [2, 2], bytes: asBytes(Int8Array.of(2, -4, 6, 127)) };
  const scale: SafeTensor = { dtype: "F32", shape: [2], bytes: asBytes(Float32Array.of(0.5, 2)) };

  it("multiplies int8 rows out and leaves their scales out", () => {
    const weights = readWeights(writeSafetensors({ x: matrix, "x.scale": scale, "y.scale": scale }));
    expect(Object.keys(weights).sort()).toEqual(["x", "y.scale"]);
    expect(weights.x!.shape).toEqual([2, 2]);
    expect([...weights.x!.data]).toEqual([1, -2, 12, 254]);
  });

  it("leaves out what is not asked for, whatever it is", () => {
    const counts: SafeTensor = { dtype: "I64", shape: [1], bytes: new Uint8Array(8) };
    const bytes = writeSafetensors({ "a.x": matrix, "a.x.scale": scale, "b.x": scale, counts });
    expect(Object.keys(readWeights(bytes, { only: ["a."] }))).toEqual(["a.x"]);
    expect(Object.keys(readWeights(bytes, { only: ["b.", "a."] })).sort()).toEqual(["a.x", "b.x"]);
    expect(() => readWeights(bytes)).toThrow('tensor "counts"');
  });

  it("names the matrix whose scale is missing or of the wrong size", () => {
    expect(() => readWeights(writeSafetensors({ x: matrix }))).toThrow('tensor "x"');
    const short = { ...scale, shape: [1], bytes: scale.bytes.subarray(0, 4) };
    expect(() => readWeights(writeSafetensors({ x: matrix, "x.scale": short }))).toThrow("2 rows, got 1");
  });
});

describe("the file of @clara/mini", () => {
  // By path: the package of the data may be imported by no other package but the app.
  const bytes = readFileSync(new URL("../../mini/data/mini.safetensors", import.meta.url));

  it("has a scale for every int8 matrix and nothing but int8, float16 and float32", () => {
    const { tensors } = readSafetensors(bytes);
    for (const [name, { dtype, shape }] of Object.entries(tensors)) {
      expect(["I8", "F16", "F32"], name).toContain(dtype);
      if (dtype === "I8") expect(tensors[`${name}.scale`], name).toMatchObject({ dtype: "F32", shape: [shape[0]] });
    }
  });

  it("holds two encoders on one embedding table, and the span head", () => {
    const weights = readWeights(bytes);
    tf.tidy(() => {
      const { embeddings } = bertParams(weights, { layers: 6, prefix: "compressor" });
      const reader = bertParams(weights, { layers: 6, prefix: "reader", embeddings });
      expect(embeddings.words.shape).toEqual([30_522, 384]);
      expect(reader.layers.length).toBe(6);
    });
    expect(weights["reader.span.weight"]!.shape).toEqual([2, 384]);
    expect(weights["reader.span.bias"]!.shape).toEqual([2]);
  });

  const original = new URL("../../../../shared/models/all-MiniLM-L6-v2/model.safetensors", import.meta.url);
  it.skipIf(!existsSync(original))("is within half a step of the original's words (needs ../shared/models)", () => {
    const name = "embeddings.word_embeddings.weight";
    const exact = readWeights(readFileSync(original))[name]!.data;
    const { data } = readWeights(bytes)[name]!;
    let wrong = 0;
    for (let row = 0; row < 30_522; row++) {
      const largest = exact.subarray(row * 384, row * 384 + 384).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      for (let i = row * 384; i < row * 384 + 384; i++) {
        if (Math.abs(data[i]! - exact[i]!) > (largest / 127) * 0.501) wrong++;
      }
    }
    expect(wrong).toBe(0);
  });
});
