import { describe, expect, it } from "vitest";
import { nearestTokens, type TokenTable } from "./nearest-tokens.ts";

const numbers = Float32Array.of(1, 0, 0, 1, 2, 2, -1, 0, 0, 1);
const read: [number, number][] = [];
const table: TokenTable = {
  shape: [5, 2],
  rows(from, to) {
    read.push([from, to]);
    return numbers.subarray(2 * from, 2 * to);
  },
};
const ids = (lists: ReturnType<typeof nearestTokens>): number[][] => lists.map((list) => list.map(({ id }) => id));

describe("nearestTokens", () => {
  it("ranks tokens by their products with each vector, equal ones by id", () => {
    const near = nearestTokens(Float32Array.of(1, 0, 0, 3), table, { top: 3 });
    expect(near[0]).toEqual([
      { id: 2, score: 2 },
      { id: 0, score: 1 },
      { id: 1, score: 0 },
    ]);
    expect(near[1]!.map(({ id, score }) => [id, score])).toEqual([
      [2, 6],
      [1, 3],
      [4, 3],
    ]);
    expect(nearestTokens(new Float32Array(), table)).toEqual([]);
  });

  it("names all where there are fewer than asked for, and leaves out those that may not be named", () => {
    expect(ids(nearestTokens(Float32Array.of(1, 0), table))).toEqual([[2, 0, 1, 4, 3]]);
    expect(ids(nearestTokens(Float32Array.of(1, 0), table, { top: 2, only: (id) => id < 2 }))).toEqual([[0, 1]]);
  });

  it("reads a large table in parts", () => {
    const D = 2 ** 21;
    const large: TokenTable = {
      shape: [5, D],
      rows: (from, to) => {
        read.push([from, to]);
        return Float32Array.from({ length: (to - from) * D }, (_, i) => (i % D === 0 ? from + Math.floor(i / D) : 0));
      },
    };
    read.length = 0;
    const vector = new Float32Array(D);
    vector[0] = 1;
    expect(ids(nearestTokens(vector, large, { top: 2 }))).toEqual([[4, 3]]);
    expect(read).toEqual([
      [0, 2],
      [2, 4],
      [4, 5],
    ]);
  });

  it("names what does not fit", () => {
    expect(() => nearestTokens(new Float32Array(3), table)).toThrow("vectors must be rows of 2 numbers, got 3 numbers");
    expect(() => nearestTokens(new Float32Array(2), table, { top: 0 })).toThrow("top must be an integer of at least 1");
  });
});
