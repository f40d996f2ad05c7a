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

describe("quantizeMemory", () => {
  it("keeps the largest number of each vector exactly and rounds the others to its 127th part", () => {
    const { values, scales, ...rest } = quantizeMemory(memory);
    expect([...values]).toEqual([127, 0, 95, 127, 0, -127]);
    expect([...scales]).toEqual([1, 4, 2].map((largest) => Math.fround(largest / 127)));
    const { vectors: _, ...same } = memory;
    expect(rest).toEqual(same);
  });

  it("comes back within half a step, at a cosine above 0.9999", () => {
    const width = 384;
    const vectors = Float32Array.from({ length: 50 * width }, (_, i) => Math.sin(i * i) * (1 + (i % 7)));
    const many = {
      ...memory,
      count: 50,
      width,
      vectors,
      tokens: new Uint16Array(50).fill(2),
      spans: new Uint32Array(100),
    };
    const back = dequantizeMemory(quantizeMemory(many));
    for (let m = 0; m < 50; m++) {
      const before = vectors.subarray(m * width, (m + 1) * width);
      const after = back.vectors.subarray(m * width, (m + 1) * width);
      const step = Math.max(...before.map(Math.abs)) / 127;
      for (const [d, x] of after.entries()) expect(Math.abs(x - before[d]!)).toBeLessThan(0.5001 * step);
      expect(windowScores(before, { ...many, count: 1, vectors: after })[0]).toBeGreaterThan(0.9999);
    }
  });

  it("keeps a vector of zeros", () => {
    const zeros = { ...memory, vectors: new Float32Array(6) };
    expect(dequantizeMemory(quantizeMemory(zeros))).toEqual(zeros);
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
    for (const [m, score] of windowScores(query, quantizeMemory(memory)).entries()) {
      expect(score).toBeCloseTo(scores[m]!, 2);
    }
  });

  it("is 0 for zeros, and refuses another width", () => {
    expect([...windowScores(new Float32Array(2), memory)]).toEqual([0, 0, 0]);
    expect(() => windowScores(new Float32Array(3), memory)).toThrow(/width 2, got 3/);
  });
});
