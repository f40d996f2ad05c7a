import type { Memory } from "@clara/core";
import { describe, expect, it } from "vitest";
import { quantizeMemory } from "../quantize.ts";
import { memoryCosine } from "./memory-cosine.ts";

const memory: Memory = {
  ...{ rate: 4, count: 2, width: 2 },
  vectors: Float32Array.of(3, 0, 0, 4),
  tokens: Uint16Array.of(4, 4),
  spans: new Uint32Array(4),
};

describe("memoryCosine", () => {
  it("compares all vectors at once, each with the one in its place", () => {
    expect(memoryCosine(Float32Array.of(3, 0, 0, 4), memory)).toBeCloseTo(1, 12);
    // (3·2 + 4·1) / (5·√5): longer vectors count more.
    expect(memoryCosine(Float32Array.of(2, 0, 0, 1), memory)).toBeCloseTo(10 / (5 * Math.sqrt(5)), 12);
    expect(memoryCosine(Float32Array.of(0, 4, 3, 0), memory)).toBe(0);
    expect(memoryCosine(new Float32Array(4), memory)).toBe(0);
  });

  it("reads rounded memories as the numbers that they stand for", () => {
    const rounded = quantizeMemory({ ...memory, vectors: Float32Array.of(3, -1, 0, 4) }, { bits: 8 });
    expect(memoryCosine(Float32Array.of(3, -1, 0, 4), rounded)).toBeCloseTo(1, 4);
    expect(memoryCosine(Float32Array.of(0, 0, 0, 1), rounded)).toBeCloseTo(4 / Math.sqrt(26), 3);
  });

  it("names a query of another length", () => {
    expect(() => memoryCosine(new Float32Array(2), memory)).toThrow(
      "memoryCosine: query must be [2·2], 4 numbers, got 2",
    );
  });
});
