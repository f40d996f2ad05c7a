import { describe, expect, it } from "vitest";
import { difference, largest, mismatches, norm, relativeDifference } from "./compare.ts";

describe("difference", () => {
  it("is the largest, and names its place", () => {
    const [a, b] = [
      { data: [1, 2, 3, 4], shape: [2, 2] },
      { data: [1, 2, 5, 4.5], shape: [2, 2] },
    ];
    expect(difference(a, b)).toEqual({ error: 2, at: "at [1,0] expected 5, got 3" });
    expect(relativeDifference(a, b)).toBe(0.4);
    expect(difference({ data: [] }, { data: [] })).toEqual({ error: 0, at: "no numbers" });
  });

  it("is infinite for NaN on either side", () => {
    expect(difference({ data: [Number.NaN, 1] }, { data: [0, 1] }).error).toBe(Number.POSITIVE_INFINITY);
    expect(difference({ data: [0] }, { data: [Number.NaN] }).error).toBe(Number.POSITIVE_INFINITY);
  });

  it("is a part of nothing only where both are 0", () => {
    expect(relativeDifference({ data: [0] }, { data: [0] })).toBe(0);
    expect(relativeDifference({ data: [1e-9] }, { data: [0] })).toBe(Number.POSITIVE_INFINITY);
  });

  it("refuses other shapes, not only other sizes", () => {
    const flat = { data: [1, 2], shape: [1, 2] };
    expect(() => difference(flat, { data: [1, 2], shape: [2, 1] })).toThrow("expected [2,1] numbers, got [1,2]");
    expect(() => difference({ data: [1] }, { data: [1, 2] })).toThrow("expected [2] numbers, got [1]");
  });

  it("comes with the size of things", () => {
    expect([largest({ data: [1, -3] }), largest({ data: [] }), norm([{ data: [3] }, { data: [4] }])]).toEqual([
      3, 0, 5,
    ]);
  });
});

describe("mismatches", () => {
  it("counts the leaves that differ, and names the first", () => {
    expect(mismatches([[1, 2], { a: "x" }], [[1, 3], { a: "y" }])).toEqual({
      count: 2,
      first: "[0][1] should be 3, is 2",
    });
    expect(mismatches({ a: { b: [1] } }, { a: { b: [1, 2] } })).toEqual({
      count: 1,
      first: "a.b.length should be 2, is 1",
    });
    expect(mismatches({ a: 1 }, { b: 1 }).count).toBe(2);
    expect(mismatches("a", ["a"])).toEqual({ count: 1, first: 'it should be ["a"], is "a"' });
  });

  it("takes equal values for equal, and a field that is undefined for none", () => {
    expect(mismatches({ a: [1, null, { b: "" }], c: undefined }, { a: [1, null, { b: "" }] })).toEqual({
      count: 0,
      first: "",
    });
  });
});
