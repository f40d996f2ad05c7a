import { describe, expect, it } from "vitest";
import { rankMemories } from "./rank-memories.ts";

const vectors = (...rows: number[][]): Float32Array[] => rows.map((row) => Float32Array.from(row));

describe("rankMemories", () => {
  it("orders memories by their cosine, whatever their length", () => {
    const ranked = rankMemories(Float32Array.of(3, 4), vectors([-6, -8], [30, 40], [4, -3], [1, 0]));
    expect(ranked.map(({ index }) => index)).toEqual([1, 3, 2, 0]);
    expect(ranked.map(({ score }) => Number(score.toFixed(6)))).toEqual([1, 0.6, 0, -1]);
  });

  it("keeps the order of equal ones, where the reference's is any", () => {
    const ranked = rankMemories(Float32Array.of(1, 1), vectors([1, 0], [0, 2], [5, 0], [1, 1], [0, 7]));
    expect(ranked.map(({ index }) => index)).toEqual([3, 0, 1, 2, 4]);
  });

  it("takes zeros for cosine 0, and no memories for none", () => {
    expect(rankMemories(Float32Array.of(0, 0), vectors([1, 0]))).toEqual([{ index: 0, score: 0 }]);
    expect(rankMemories(Float32Array.of(1, 0), vectors([0, 0]))).toEqual([{ index: 0, score: 0 }]);
    expect(rankMemories(Float32Array.of(1, 0), [])).toEqual([]);
  });
});
