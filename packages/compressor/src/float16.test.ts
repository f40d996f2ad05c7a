import { describe, expect, it } from "vitest";
import { fromFloat16, toFloat16 } from "./float16.ts";

describe("float16", () => {
  it.each([
    [0, 0],
    [1, 0x3c00],
    [1.5, 0x3e00],
    [0.1, 0x2e66],
    [65504, 0x7bff],
    [65519, 0x7bff],
    [65520, 0x7c00],
    [2 ** -14, 0x0400],
    [2 ** -24, 1],
    [2 ** -25, 0],
    [1.01 * 2 ** -25, 1],
    [1e-40, 0],
    [Number.POSITIVE_INFINITY, 0x7c00],
    [Number.NaN, 0x7e00],
  ])("of %d is 0x%s", (x, half) => {
    expect(toFloat16(x)).toBe(half);
  });

  it("rounds ties to the even one", () => {
    expect(toFloat16(1 + 1 / 2048)).toBe(0x3c00);
    expect(toFloat16(1 + 3 / 2048)).toBe(0x3c02);
    expect(toFloat16(2 - 1 / 2048)).toBe(0x4000);
    expect(toFloat16(2.5 * 2 ** -24)).toBe(2);
    expect(toFloat16(1023.5 * 2 ** -24)).toBe(0x0400);
  });

  it("gives back each of the 31744 finite ones, and is the nearest of them", () => {
    for (let half = 0; half < 0x7c00; half++) {
      const x = fromFloat16(half);
      expect(toFloat16(x)).toBe(half);
      if (half === 0x7bff) continue;
      const next = fromFloat16(half + 1);
      expect(next).toBeGreaterThan(x);
      expect(toFloat16(x + 0.49 * (next - x))).toBe(half);
      expect(toFloat16(x + 0.51 * (next - x))).toBe(half + 1);
    }
    expect(fromFloat16(0x7c00)).toBe(Number.POSITIVE_INFINITY);
    expect(fromFloat16(0x7e00)).toBeNaN();
  });
});
