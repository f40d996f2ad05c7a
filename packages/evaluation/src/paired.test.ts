import { describe, expect, it } from "vitest";
import { pairedBootstrap } from "./paired.ts";

describe("pairedBootstrap", () => {
  it("finds a small difference that every question shares, where the runs themselves vary widely", () => {
    const baseline = Array.from({ length: 50 }, (_, i) => i / 50);
    const { difference, interval, p } = pairedBootstrap(
      baseline.map((value) => value + 0.01),
      baseline,
    );
    expect(difference).toBeCloseTo(0.01, 10);
    expect(interval[0]).toBeCloseTo(0.01, 10);
    expect(interval[1]).toBeCloseTo(0.01, 10);
    // No resample has no difference: 2 · (0 + 1) / (1000 + 1).
    expect(p).toBeCloseTo(2 / 1001, 10);
  });

  it("says that equal runs do not differ", () => {
    expect(pairedBootstrap([1, 0, 0.5], [1, 0, 0.5])).toEqual({ difference: 0, interval: [0, 0], p: 1 });
  });

  it("has an interval around 0 where wins and losses are even, the same for the same seed", () => {
    const values = Array.from({ length: 41 }, (_, i) => i / 41);
    const first = pairedBootstrap(values, values.toReversed(), { seed: 3 });
    expect(first.difference).toBeCloseTo(0, 10);
    expect(first.interval[0]).toBeLessThan(0);
    expect(first.interval[1]).toBeGreaterThan(0);
    expect(first.p).toBeGreaterThan(0.5);
    expect(pairedBootstrap(values, values.toReversed(), { seed: 3 })).toEqual(first);
    expect(pairedBootstrap(values, values.toReversed(), { seed: 4 })).not.toEqual(first);
  });

  it("has the sign of the first run's advantage", () => {
    expect(pairedBootstrap([1, 1, 1, 0], [0, 0, 1, 0]).difference).toBe(0.5);
    expect(pairedBootstrap([0, 0, 1, 0], [1, 1, 1, 0]).difference).toBe(-0.5);
  });

  it.each<[Parameters<typeof pairedBootstrap>, RegExp]>([
    [[[1], [1, 2]], /one length, got 1 and 2/],
    [[[], []], /at least 1 value/],
    [[[Number.NaN], [1]], /finite/],
    [[[1], [1], { samples: 0 }], /samples must be a whole number from 1, got 0/],
    [[[1], [1], { level: 1 }], /level must be between 0 and 1, got 1/],
  ])("refuses %j", (args, message) => {
    expect(() => pairedBootstrap(...args)).toThrow(message);
  });
});
