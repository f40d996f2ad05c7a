import { describe, expect, it } from "vitest";
import { duration, progressDetail, recentRates, smooth } from "./rates.ts";
import type { LogEntry } from "./training-log.ts";

const entry = (step: number, seconds: number): LogEntry => ({
  step,
  loss: 2,
  norm: 1,
  learningRate: 5e-5,
  tokens: 4000,
  examples: 32,
  seconds,
  measures: {},
});

describe("rates", () => {
  it("leave the first step out, which compiles, unless it is all there is", () => {
    expect(recentRates([entry(1, 100), entry(2, 2), entry(3, 2)])).toEqual({
      secondsPerStep: 2,
      examplesPerSecond: 16,
      tokensPerSecond: 2000,
    });
    expect(recentRates([entry(1, 4)]).examplesPerSecond).toBe(8);
    expect(
      recentRates(
        [1, 2, 3, 4].map((step) => entry(step, step)),
        2,
      ).secondsPerStep,
    ).toBe(3.5);
  });

  it("become the progress line", () => {
    const entries = [entry(1, 9), ...[2, 3, 4].map((step) => entry(step, 2))];
    expect(progressDetail(entries, 304)).toBe("loss 2.000, rate 5.0e-5, 16 examples/s, 2,000 tokens/s, 10 min left");
  });
});

describe("smooth", () => {
  it("is a moving mean that is honest from the first number on", () => {
    expect(smooth([4, 4, 4], 0.1)).toEqual([4, 4, 4].map((value) => expect.closeTo(value, 12)));
    // Weights 0.25 and 0.5 after two numbers.
    expect(smooth([2, 8], 0.5)[1]).toBeCloseTo((0.25 * 2 + 0.5 * 8) / 0.75, 12);
  });
});

describe("duration", () => {
  it("says seconds, minutes or hours", () => {
    expect([0.4, 89, 90, 600, 5399, 5400, 12_000].map(duration)).toEqual([
      "0 s",
      "89 s",
      "2 min",
      "10 min",
      "1 h 30 min",
      "1 h 30 min",
      "3 h 20 min",
    ]);
  });
});
