import type { Memory } from "@clara/core";
import { describe, expect, it } from "vitest";
import { meanKey, rerate } from "./memory.ts";
import { dequantizeMemory, quantizeMemory } from "./quantize.ts";
import { maxCosine, windowScores } from "./scores.ts";

/** Five tokens at rate 2: the last window has one. */
const memory: Memory = {
  rate: 2,
  count: 3,
  width: 2,
  vectors: Float32Array.of(1, 0, 3, 4, 0, -2),
  tokens: Uint16Array.of(2, 2, 1),
  spans: Uint32Array.of(0, 0, 0, 9, 10, 14),
};

describe("meanKey", () => {
  it("weighs each vector by its tokens and has length 1", () => {
    // Sums: 2+6+0 = 8 and 0+8-2 = 6.
    expect([...meanKey(memory)]).toEqual([Math.fround(0.8), Math.fround(0.6)]);
  });

  it.each([4, 8] as const)("of a memory in %i bits is that of the memory it stands for", (bits) => {
    const quantized = quantizeMemory(memory, { bits });
    expect([...meanKey(quantized)]).toEqual([...meanKey(dequantizeMemory(quantized))]);
    expect(meanKey(quantized)[0]).toBeCloseTo(0.8, bits === 8 ? 2 : 1);
  });

  it("is zeros for zeros", () => {
    expect([...meanKey({ ...memory, vectors: new Float32Array(6) })]).toEqual([0, 0]);
  });
});

describe("rerate", () => {
  it("merges windows, by their tokens", () => {
    expect(rerate(memory, 4)).toEqual({
      rate: 4,
      count: 2,
      width: 2,
      vectors: Float32Array.of(2, 2, 0, -2),
      tokens: Uint16Array.of(4, 1),
      spans: Uint32Array.of(0, 9, 10, 14),
    });
    expect(rerate(memory, 6)).toMatchObject({
      count: 1,
      vectors: Float32Array.of(1.6, 1.2),
      spans: Uint32Array.of(0, 14),
    });
  });

  it("changes nothing at the memory's own rate, nor the mean key at any", () => {
    expect(rerate(memory, 2)).toEqual(memory);
    for (const rate of [4, 6, 256]) {
      const key = meanKey(rerate(memory, rate));
      for (const [d, x] of meanKey(memory).entries()) expect(key[d]).toBeCloseTo(x, 6);
    }
  });

  it("refuses a finer rate, one in between and one above 256", () => {
    for (const rate of [1, 3, 0, -2, 258, Number.NaN]) {
      expect(() => rerate(memory, rate)).toThrow(expect.objectContaining({ code: "option" }));
    }
  });
});

describe("windowScores", () => {
  it("is the cosine with each vector, whatever the question's length", () => {
    expect([...windowScores(Float32Array.of(0, 5), memory)]).toEqual([0, Math.fround(0.8), -1]);
    expect(maxCosine(Float32Array.of(0, 5), memory)).toBeCloseTo(0.8, 6);
    expect(maxCosine(Float32Array.of(0, -5), memory)).toBe(1);
  });

  it("reads a quantised memory as it is", () => {
    const query = Float32Array.of(0.6, 0.8);
    const scores = windowScores(query, memory);
    for (const [m, score] of windowScores(query, quantizeMemory(memory, { bits: 8 })).entries()) {
      expect(score).toBeCloseTo(scores[m]!, 2);
    }
    // (7, 0), (5, 7) and (0, -7): cosines 0.6, 8.6 / √74 and -0.8.
    const inFour = windowScores(query, quantizeMemory(memory));
    for (const [m, score] of [0.6, 8.6 / Math.sqrt(74), -0.8].entries()) expect(inFour[m]).toBeCloseTo(score, 6);
  });

  it.each([4, 8] as const)("is the same with %i bits as with the memory they stand for, at any width", (bits) => {
    for (const width of [1, 2, 7, 128]) {
      const wide = {
        ...memory,
        width,
        vectors: Float32Array.from({ length: 3 * width }, (_, i) => Math.sin(3 * i * i)),
      };
      const query = Float32Array.from({ length: width }, (_, d) => Math.cos(d));
      const quantized = quantizeMemory(wide, { bits });
      const expected = windowScores(query, dequantizeMemory(quantized));
      for (const [m, score] of windowScores(query, quantized).entries()) expect(score).toBeCloseTo(expected[m]!, 6);
      expect(maxCosine(query, quantized)).toBe(Math.max(...windowScores(query, quantized)));
    }
  });

  it("is 0 for zeros, and refuses another width", () => {
    expect([...windowScores(new Float32Array(2), memory)]).toEqual([0, 0, 0]);
    expect([...windowScores(new Float32Array(2), quantizeMemory(memory))]).toEqual([0, 0, 0]);
    const zeros = quantizeMemory({ ...memory, vectors: new Float32Array(6) });
    expect([...windowScores(Float32Array.of(1, 1), zeros)]).toEqual([0, 0, 0]);
    expect(() => windowScores(new Float32Array(3), memory)).toThrow(/width 2, got 3/);
  });
});
