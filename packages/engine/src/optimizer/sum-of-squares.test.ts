import { describe, expect, it } from "vitest";
import { sumOfSquares } from "./sum-of-squares.ts";

describe("sumOfSquares", () => {
  it.for([0, 1, 2, 3, 4, 5, 7, 8, 65_537])("counts each of %i numbers once", (length) => {
    const array = Float32Array.from({ length }, (_, i) => (i % 2 ? -1 : 1) * (i % 5));
    expect(sumOfSquares(array)).toBe(array.reduce((sum, value) => sum + value * value, 0));
  });

  it("is in double precision: small numbers are not lost beside large ones, and large ones do not overflow", () => {
    expect(sumOfSquares(Float32Array.of(2 ** 20, 1, 1, 1, 1))).toBe(2 ** 40 + 4);
    expect(sumOfSquares(Float32Array.of(2 ** 100, 2 ** 100))).toBe(2 ** 201);
  });

  it("is not finite when a number is not", () => {
    expect(sumOfSquares(Float32Array.of(1, 2, 3, 4, Number.NaN))).toBeNaN();
    expect(sumOfSquares(Float32Array.of(1, -Infinity, 3, 4))).toBe(Infinity);
  });
});
