import { describe, expect, it } from "vitest";
import { auroc, precisionRecall } from "./decisions.ts";
import { bootstrap, mean, percentile } from "./statistics.ts";

describe("percentile and mean", () => {
  it("interpolate between neighbours and leave the values alone", () => {
    const values = [4, 1, 3, 2];
    expect([0, 50, 95, 100].map((p) => percentile(values, p))).toEqual([1, 2.5, expect.closeTo(3.85, 12), 4]);
    expect(values).toEqual([4, 1, 3, 2]);
    expect(percentile([10, 9], 50)).toBe(9.5);
    expect(mean(values)).toBe(2.5);
  });

  it("refuse what has no mean", () => {
    expect(() => percentile([], 50)).toThrow("percentile: needs at least 1 value, got 0");
    expect(() => percentile([1], 101)).toThrow("percentile: p must be between 0 and 100, got 101");
    expect(() => mean([1, Number.NaN])).toThrow("mean: needs finite values, got NaN at index 1");
  });
});

describe("bootstrap", () => {
  const values = Array.from({ length: 400 }, (_, i) => i % 2);

  it("covers the mean with about the width that theory gives", () => {
    const [low, high] = bootstrap(values);
    // Standard error 0.5 / sqrt(400) = 0.025; ±1.96 of it.
    expect(low).toBeCloseTo(0.5 - 0.049, 1.9);
    expect(high).toBeCloseTo(0.5 + 0.049, 1.9);
    const [narrowLow, narrowHigh] = bootstrap(values, { level: 0.5 });
    expect(narrowLow).toBeGreaterThan(low);
    expect(narrowHigh).toBeLessThan(high);
  });

  it("repeats with its seed, and is a point for equal values", () => {
    expect(bootstrap(values, { seed: 7 })).toEqual(bootstrap(values, { seed: 7 }));
    expect(bootstrap(values, { seed: 7, samples: 50 })).not.toEqual(bootstrap(values, { seed: 8, samples: 50 }));
    expect(bootstrap([2, 2, 2])).toEqual([2, 2]);
  });

  it("names bad options", () => {
    expect(() => bootstrap([])).toThrow("bootstrap: needs at least 1 value, got 0");
    expect(() => bootstrap([1], { samples: 0 })).toThrow(/samples must be a whole number from 1, got 0/);
    expect(() => bootstrap([1], { level: 1 })).toThrow(/level must be between 0 and 1, got 1/);
  });
});

describe("auroc", () => {
  it("is the part of pairs in the right order, ties half", () => {
    expect(auroc([0.9, 0.8, 0.1], [true, true, false])).toBe(1);
    expect(auroc([0.1, 0.9], [true, false])).toBe(0);
    expect(auroc([1, 1, 1, 1], [true, false, true, false])).toBe(0.5);
    // Pairs: 3>2, 3>1 right, 1 ties with 1, 1<2 wrong: 2.5 of 4.
    expect(auroc([3, 1, 2, 1], [true, true, false, false])).toBe(0.625);
    expect(auroc([Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY], [false, true])).toBe(1);
  });

  it("is null when one class is missing", () => {
    expect(auroc([1, 2], [true, true])).toBeNull();
    expect(auroc([], [])).toBeNull();
  });

  it("names bad input", () => {
    expect(() => auroc([1], [])).toThrow("auroc: needs two lists of one length, got 1 and 0");
    expect(() => auroc([1, Number.NaN], [true, false])).toThrow(/got NaN at index 1/);
  });
});

describe("precisionRecall", () => {
  it("divides the common by each side, or says null", () => {
    expect(precisionRecall([true, true, false, true], [true, false, true, true])).toEqual({
      precision: 2 / 3,
      recall: 2 / 3,
    });
    expect(precisionRecall([false], [true])).toEqual({ precision: null, recall: 0 });
    expect(precisionRecall([true], [false])).toEqual({ precision: 0, recall: null });
    expect(() => precisionRecall([true], [])).toThrow(/precisionRecall/);
  });
});
