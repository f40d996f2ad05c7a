import { describe, expect, it } from "vitest";
import { matMulNBits, type NBitsWeight, tf } from "./index.ts";
import { checkGradient, expectClose, expectNoLeaks } from "./testing.ts";

describe("matMulNBits", () => {
  // Levels of row 0: -8 … 7 at a scale of 2. Row 1: 1 in column 0 and -1 in column 15, at a scale of -0.5.
  const weight: NBitsWeight = {
    packed: tf.tensor2d([0x76543210, 0xfedcba98 | 0, 0x88888889 | 0, 0x78888888], [2, 2], "int32"),
    scales: tf.tensor2d([2, -0.5], [2, 1]),
    blockSize: 16,
  };
  const x = tf.tensor3d(
    Array.from({ length: 32 }, (_, i) => (i * 7) % 5),
    [1, 2, 16],
  );

  it("multiplies by (nibble - 8) times the scale, lowest nibble first", () => {
    const rows = [0, 1].map((t) => Array.from(x.dataSync()).slice(t * 16, t * 16 + 16));
    const expected = rows.flatMap((row) => [
      row.reduce((sum, value, k) => sum + value * (k - 8) * 2, 0),
      -0.5 * (row[0]! - row[15]!),
    ]);
    expectClose(matMulNBits(x, weight), tf.tensor3d(expected, [1, 2, 2]));
  });

  it("takes a new scale every blockSize columns", () => {
    const packed = tf.fill([1, 4], 0x99999999 | 0, "int32") as tf.Tensor2D; // all ones
    const y = matMulNBits(tf.ones([32]), { packed, scales: tf.tensor2d([1, 100], [1, 2]), blockSize: 16 });
    expectClose(y, tf.tensor1d([1616]));
  });

  it("has four codes to a number with 8 bits, about 128", () => {
    const packed = tf.fill([1, 4], 0x80ff0081 | 0, "int32") as tf.Tensor2D; // 1, -128, 127, 0
    const weight: NBitsWeight = { packed, scales: tf.tensor2d([2], [1, 1]), blockSize: 16, bits: 8 };
    const x = tf.tensor1d([1, 0, 0, 5, 0, 1, 0, 5, 0, 0, 1, 5, 0, 0, 0, 5]);
    expectClose(matMulNBits(x, weight), tf.tensor1d([2 * (1 - 128 + 127)]));
    expect(() => matMulNBits(x, { ...weight, bits: 2 as 4 })).toThrow("bits must be 4 or 8, got 2");
  });

  it("has the right gradient for x", () => {
    const mix = tf.tensor3d([1, -2, 3, 4], [1, 2, 2]);
    checkGradient((x) => tf.sum(tf.mul(mix, matMulNBits(x, weight))), [x] as const);
  });

  it("leaves nothing behind", () => {
    expectNoLeaks(() => matMulNBits(x, weight));
    expectNoLeaks(() => tf.grad((x: tf.Tensor) => tf.sum(matMulNBits(x, weight)))(x));
  });

  it("names what does not fit", () => {
    expect(() => matMulNBits(tf.zeros([2, 8]), weight)).toThrow("last dimension of x must be [16], got [8]");
    const scales = tf.zeros<tf.Rank.R2>([2, 2]);
    expect(() => matMulNBits(x, { ...weight, scales })).toThrow("matMulNBits: scales must be [2, 1], got [2, 2]");
    const packed = tf.zeros<tf.Rank.R2>([2, 2]);
    expect(() => matMulNBits(x, { ...weight, packed })).toThrow("packed must be int32, got float32");
    for (const blockSize of [0, 8, 24, Number.NaN]) {
      expect(() => matMulNBits(x, { ...weight, blockSize })).toThrow(
        `matMulNBits: blockSize must be a power of 2 and at least 16, got ${blockSize}`,
      );
    }
  });
});
