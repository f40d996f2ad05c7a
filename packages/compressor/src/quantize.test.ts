import type { Memory } from "@clara/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromFloat16, toFloat16 } from "./float16.ts";
import { dequantizeMemory, quantizeMemory } from "./quantize.ts";
import { windowScores } from "./scores.ts";

function memoryOf(vectors: readonly (readonly number[])[]): Memory {
  const count = vectors.length;
  return {
    rate: 2,
    count,
    width: vectors[0]!.length,
    vectors: Float32Array.from(vectors.flat()),
    tokens: new Uint16Array(count).fill(2),
    spans: Uint32Array.from({ length: 2 * count }, (_, i) => i),
  };
}

const half = (x: number): number => fromFloat16(toFloat16(x));
const largest = (vector: Float32Array): number => vector.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

const rows = (number: (i: number) => number): Memory =>
  memoryOf(Array.from({ length: 50 }, (_, m) => Array.from({ length: 384 }, (_, d) => number(384 * m + d))));

const uneven = rows((i) => Math.sin(i * i) * (1 + (i % 7)));
/** Sums of six sines: bell-shaped, as a transformer's numbers are. */
const bells = rows((i) => [1, 2, 3, 4, 5, 6].reduce((sum, k) => sum + Math.sin(k * k * i * 1.7 + k), 0));

function relativeSquaredError(before: Memory, after: Memory, m: number): number {
  let [error, square] = [0, 0];
  for (let i = m * before.width; i < (m + 1) * before.width; i++) {
    error += (after.vectors[i]! - before.vectors[i]!) ** 2;
    square += before.vectors[i]! ** 2;
  }
  return error / square;
}

describe("quantizeMemory in 8 bits", () => {
  it("makes a vector's largest number 127 steps and rounds the others to them", () => {
    const memory = memoryOf([
      [1, 0],
      [3, 4],
      [0, -2],
    ]);
    const { values, scales, bits, ...rest } = quantizeMemory(memory, { bits: 8 });
    expect(bits).toBe(8);
    expect([...values]).toEqual([127, 0, 95, 127, 0, -127]);
    expect([...scales]).toEqual([1, 4, 2].map((most) => toFloat16(most / 127)));
    const { vectors: _, ...same } = memory;
    expect(rest).toEqual(same);
  });

  it("comes back within half a step, at a cosine above 0.9999", () => {
    const back = dequantizeMemory(quantizeMemory(uneven, { bits: 8 }));
    for (let m = 0; m < 50; m++) {
      const before = uneven.vectors.subarray(m * 384, (m + 1) * 384);
      const step = half(largest(before) / 127);
      for (const [d, x] of before.entries()) {
        expect(Math.abs(back.vectors[m * 384 + d]! - x)).toBeLessThan(0.5001 * step);
      }
      expect(windowScores(before, back)[m]).toBeGreaterThan(0.9999);
    }
  });
});

describe("quantizeMemory in 4 bits, which is the default", () => {
  it("puts two numbers into a byte, the first one low, and fills up an odd width with zero", () => {
    const { values, scales, bits } = quantizeMemory(
      memoryOf([
        [7, -7, 3],
        [-1, 2, -0.5],
      ]),
    );
    expect(bits).toBe(4);
    // 7 is 0111 and -7 is 1001. In the second row steps of 0.25 fit exactly: -4, 8 is too many, so 7.5 steps of 2: -4, 7, -2.
    expect(Array.from(values, (byte) => byte & 255)).toEqual([0x97, 0x03, 0x7c, 0x0e]);
    expect([...scales]).toEqual([toFloat16(1), toFloat16(2 / 7.5)]);
  });

  it("cuts a largest number off when the rest gains more by finer steps", () => {
    // In steps of 7 the many ones round to 1 of 1.43 steps; cut off at 8.5 they are nearly 1.
    const memory = memoryOf([[10, ...Array.from({ length: 60 }, () => 1)]]);
    const quantized = quantizeMemory(memory);
    const scale = fromFloat16(quantized.scales[0]!);
    expect(scale).toBeLessThan(10 / 7);
    const back = dequantizeMemory(quantized);
    expect(back.vectors[0]).toBeCloseTo(7 * scale, 6);
    expect(relativeSquaredError(memory, back, 0)).toBeLessThan((60 * (10 / 7 - 1) ** 2) / 160);
  });

  it("loses less than 1.7 % of a bell-shaped vector's square, and is never worse than by its largest number", () => {
    const back = dequantizeMemory(quantizeMemory(bells));
    for (let m = 0; m < 50; m++) {
      const before = bells.vectors.subarray(m * 384, (m + 1) * 384);
      const step = half(largest(before) / 7);
      const plain = before.reduce((sum, x) => sum + (x - step * Math.round(x / step)) ** 2, 0);
      const square = before.reduce((sum, x) => sum + x * x, 0);
      const error = relativeSquaredError(bells, back, m);
      expect(error).toBeLessThan(0.017);
      expect(error).toBeLessThan((1.0001 * plain) / square);
      // Without the few that are cut off, every number is within half a step.
      const found = Math.max(...back.vectors.subarray(m * 384, (m + 1) * 384)) / 7;
      for (const [d, x] of before.entries()) {
        if (Math.abs(x) < 7 * found) expect(Math.abs(back.vectors[m * 384 + d]! - x)).toBeLessThan(0.5001 * found);
      }
    }
  });
});

describe("quantizeMemory in 2 bits", () => {
  it("puts four odd numbers of steps into a byte, the first one lowest, and fills the last byte up with zeros", () => {
    const { values, scales, bits } = quantizeMemory(
      memoryOf([
        [3, -3, 1, -1, 3],
        [-2, -2, 2, 2, 2],
      ]),
      { bits: 2 },
    );
    expect(bits).toBe(2);
    // Codes (x + 3) / 2 are 3, 0, 2, 1 and 3; the second row is one step of 2 each: 1, 1, 2, 2 and 2.
    expect(Array.from(values, (byte) => byte & 255)).toEqual([0b01_10_00_11, 0b11, 0b10_10_01_01, 0b10]);
    expect([...scales]).toEqual([toFloat16(1), toFloat16(2)]);
  });

  it("loses no more of a bell-shaped vector's square than a uniform quantiser of four levels must, about 12 %", () => {
    // Max 1960, "Quantizing for Minimum Distortion", table II: 0.1188 for a normal distribution.
    const back = dequantizeMemory(quantizeMemory(bells, { bits: 2 }));
    const errors = Array.from({ length: 50 }, (_, m) => relativeSquaredError(bells, back, m));
    expect(errors.reduce((a, b) => a + b) / 50).toBeLessThan(0.119);
    expect(Math.max(...errors)).toBeLessThan(0.15);
  });

  it("scores windows as the memory that it stands for, also of a width that fills no byte", () => {
    const odd = memoryOf([
      [0.3, -2, 1, 0.2, -0.7, 4],
      [0, 0, 0, 0, 0, 0],
      [-1, 1, -1, 1, 5, 2],
    ]);
    const quantized = quantizeMemory(odd, { bits: 2 });
    const query = Float32Array.of(1, 2, -1, 0.5, 0.25, 3);
    const scores = windowScores(query, quantized);
    windowScores(query, dequantizeMemory(quantized)).forEach((score, m) => {
      expect(scores[m]).toBeCloseTo(score, 6);
    });
    expect(scores[1]).toBe(0);
  });
});

describe("quantizeMemory", () => {
  it.each([2, 4, 8] as const)("changes nothing more the second time, whatever the numbers (%i bits)", (bits) => {
    const number = fc.integer({ min: -9999, max: 9999 }).map((x) => Math.fround(x / 64));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.array(number, { minLength: 27, maxLength: 27 }), (width, all) => {
        const memory = memoryOf([0, 1, 2].map((m) => all.slice(m * width, (m + 1) * width)));
        const once = dequantizeMemory(quantizeMemory(memory, { bits }));
        const twice = dequantizeMemory(quantizeMemory(once, { bits }));
        for (let m = 0; m < 3; m++) {
          if (once.vectors.subarray(m * width, (m + 1) * width).some(Boolean)) {
            expect(relativeSquaredError(once, twice, m)).toBeLessThan(bits === 8 ? 1e-4 : 1e-6);
          }
        }
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  it.each([2, 4, 8] as const)(
    "keeps a vector of zeros, and one too small for float16 becomes one (%i bits)",
    (bits) => {
      const zeros = memoryOf([
        [0, 0],
        [0, 0],
      ]);
      expect(dequantizeMemory(quantizeMemory(zeros, { bits }))).toEqual(zeros);
      const small = { ...zeros, vectors: new Float32Array(4).fill(1e-9) };
      expect(dequantizeMemory(quantizeMemory(small, { bits }))).toEqual(zeros);
    },
  );

  it("refuses numbers that are not finite, and those beyond float16, and says where", () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, -1e30]) {
      const memory = memoryOf([
        [1, 2],
        [0, bad],
      ]);
      for (const bits of [2, 4, 8] as const) {
        expect(() => quantizeMemory(memory, { bits })).toThrow(
          expect.objectContaining({ code: "input", message: expect.stringContaining("vector 1 needs finite numbers") }),
        );
      }
    }
  });
});
