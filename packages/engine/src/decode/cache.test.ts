import { describe, expect, it } from "vitest";
import { createCache, slotsFor } from "./cache.ts";

const shape = { layers: 1, keyHeads: 2, headWidth: 1, leastSlots: 2, mostSlots: 8 };
/** Rows [1, tokens, 2] with keys that count and values that are their negatives. */
const made = (tokens: number, first: number) => {
  const keys = Float32Array.from({ length: 2 * tokens }, (_, i) => first + i);
  return {
    "keys.0": { data: keys, shape: [1, tokens, 2] },
    "values.0": { data: keys.map((x) => -x), shape: [1, tokens, 2] },
  };
};
const keysOf = (cache: ReturnType<typeof createCache>, row: number) => Array.from(cache.view(row, 1)["keys.0"]!.data);

describe("createCache", () => {
  it("writes new tokens behind those of each head", () => {
    const cache = createCache(shape, 2, 4);
    cache.append(1, [0], 2, made(2, 1)); // token 0: heads 1 and 2, token 1: heads 3 and 4
    cache.append(1, [2], 1, made(1, 5));
    expect(keysOf(cache, 1)).toEqual([1, 3, 5, 0, 2, 4, 6, 0]);
    expect(keysOf(cache, 0)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(Array.from(cache.view(1, 1)["values.0"]!.data)).toEqual([-1, -3, -5, -0, -2, -4, -6, -0].map((x) => x + 0));
    expect(cache.view(0, 2)["keys.0"]).toMatchObject({ shape: [2, 2, 4, 1] });
  });

  it("writes a token for sequences of different length at once", () => {
    const cache = createCache(shape, 2, 2);
    const data = Float32Array.of(1, 2, 3, 4);
    cache.append(0, [1, 0], 1, { "keys.0": { data, shape: [2, 1, 2] }, "values.0": { data, shape: [2, 1, 2] } });
    expect(keysOf(cache, 0)).toEqual([0, 1, 0, 2]);
    expect(keysOf(cache, 1)).toEqual([3, 0, 4, 0]);
  });

  it("keeps what it has when it grows, and does not grow for what fits", () => {
    const cache = createCache(shape, 2, 2);
    cache.append(0, [0], 2, made(2, 1));
    cache.append(1, [0], 2, made(2, 5));
    cache.reserve(2);
    expect(cache.slots).toBe(2);
    cache.reserve(3);
    expect(cache.slots).toBe(4);
    expect(keysOf(cache, 0)).toEqual([1, 3, 0, 0, 2, 4, 0, 0]);
    expect(keysOf(cache, 1)).toEqual([5, 7, 0, 0, 6, 8, 0, 0]);
  });

  it("copies the tokens of one sequence over another", () => {
    const cache = createCache(shape, 3, 2);
    cache.append(2, [0], 2, made(2, 5));
    cache.copy(2, 0, 1);
    expect(keysOf(cache, 0)).toEqual([5, 0, 6, 0]);
    expect(keysOf(cache, 1)).toEqual([0, 0, 0, 0]);
  });
});

describe("slotsFor", () => {
  it("doubles the least number until the length fits, up to the most", () => {
    expect([1, 2, 3, 5, 8].map((length) => slotsFor(shape, length))).toEqual([2, 2, 4, 8, 8]);
    expect(slotsFor({ ...shape, mostSlots: 6 }, 5)).toBe(6);
    expect(slotsFor({ ...shape, mostSlots: Infinity }, 1000)).toBe(1024);
  });
});
