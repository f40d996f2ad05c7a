import { describe, expect, it } from "vitest";
import { matMulNBits, quantizeNBits, tf } from "./index.ts";
import { expectClose } from "./testing.ts";

/** The weight [N, K] that the four bits stand for: what multiplying the unit vectors gives. */
function restore(weight: Float32Array, [N, K]: [number, number], blockSize: number): number[] {
  const { packed, scales } = quantizeNBits(weight, [N, K], blockSize);
  const quantised = {
    packed: tf.tensor2d(packed, [N, K / 8]),
    scales: tf.tensor2d(scales, [N, K / blockSize]),
    blockSize,
  };
  return Array.from(tf.transpose(matMulNBits(tf.eye(K), quantised)).dataSync());
}

describe("quantizeNBits", () => {
  it("restores what lies on the sixteen levels exactly, whichever side has the extra one", () => {
    const down = Float32Array.from({ length: 16 }, (_, i) => (i - 8) / 4); // -8/4 … 7/4
    expectClose(restore(down, [1, 16], 16), down);
    expectClose(
      restore(
        down.map((value) => -value),
        [1, 16],
        16,
      ),
      down.map((value) => -value),
    );
    const even = down.map((value) => Math.max(-7 / 4, value)); // -7/4 … 7/4
    expectClose(restore(even, [1, 16], 16), even);
  });

  it("lays the lowest column in the lowest bits, row after row, with a scale for each block", () => {
    const weight = new Float32Array(64);
    weight[0] = -8; // row 0, block 0: level -8 at a scale of 1
    weight[17] = 16; // row 0, block 1: level -8 at a scale of -2
    weight[32 + 15] = -4; // row 1, block 0, its last column
    const { packed, scales } = quantizeNBits(weight, [2, 32], 16);
    expectClose(scales, [1, -2, 0.5, 0]);
    const words = Array.from(packed, (word) => (word >>> 0).toString(16));
    expect(words).toEqual([
      "88888880", // columns 0 to 7
      "88888888",
      "88888808",
      "88888888",
      "88888888",
      "8888888", // the highest nibble is 0
      "88888888", // a block of zeros
      "88888888",
    ]);
  });

  it("is off by at most half a step, and a whole one beside the level that is missing", () => {
    const weight = Float32Array.from({ length: 96 }, (_, i) => Math.sin(i * i));
    const restored = restore(weight, [1, 96], 32);
    const { scales } = quantizeNBits(weight, [1, 96]);
    for (const [i, value] of restored.entries()) {
      const step = Math.abs(scales[Math.floor(i / 32)]!);
      expect(Math.abs(value - weight[i]!)).toBeLessThanOrEqual(step * 1.0001);
    }
    const error = restored.reduce((sum, value, i) => sum + (value - weight[i]!) ** 2, 0) / 96;
    expect(Math.sqrt(error)).toBeLessThan(0.05); // of values whose root mean square is 0.7
  });

  it("is finer with 8 bits, and lays four codes in a number", () => {
    const weight = new Float32Array(16);
    weight[0] = -2; // level -128 at a scale of 1/64
    weight[5] = 1 / 64;
    const { packed, scales } = quantizeNBits(weight, [1, 16], 16, 8);
    expectClose(scales, [1 / 64]);
    expect(Array.from(packed, (word) => (word >>> 0).toString(16))).toEqual([
      "80808000",
      "80808180",
      "80808080",
      "80808080",
    ]);
    expect(() => quantizeNBits(weight, [1, 16], 16, 5 as 8)).toThrow("bits must be 4 or 8, got 5");
  });

  it("names what does not fit", () => {
    expect(() => quantizeNBits(new Float32Array(31), [1, 32])).toThrow("must hold 1·32 entries, got 31");
    expect(() => quantizeNBits(new Float32Array(48), [1, 48])).toThrow("multiple of the block size 32, got 48");
    expect(() => quantizeNBits(new Float32Array(48), [1, 48], 24)).toThrow("power of 2 and at least 16, got 24");
    for (const odd of [Number.NaN, Number.NEGATIVE_INFINITY]) {
      const weight = new Float32Array(64).fill(1).fill(odd, 40, 41);
      expect(() => quantizeNBits(weight, [2, 32])).toThrow("quantizeNBits: entries 32 to 63 are not all finite");
    }
  });
});
