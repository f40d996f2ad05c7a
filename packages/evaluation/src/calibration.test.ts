import { describe, expect, it } from "vitest";
import { expectedCalibrationError, reliability } from "./calibration.ts";
import { fitLogistic, logistic } from "./logistic.ts";
import { random } from "./random.ts";

describe("reliability", () => {
  it("averages confidence and accuracy per bin; 1 is in the last one", () => {
    expect(reliability([0.1, 0.3, 1, 0.5], [false, true, true, false], 2)).toEqual([
      { low: 0, high: 0.5, n: 2, confidence: 0.2, accuracy: 0.5 },
      { low: 0.5, high: 1, n: 2, confidence: 0.75, accuracy: 0.5 },
    ]);
    expect(reliability([0.95], [true])).toHaveLength(1);
    // 0.5 · |0.2 - 0.5| + 0.5 · |0.75 - 0.5|
    expect(expectedCalibrationError([0.1, 0.3, 1, 0.5], [false, true, true, false], 2)).toBeCloseTo(0.275, 12);
    expect(expectedCalibrationError([], [])).toBe(0);
  });

  it("names bad input", () => {
    expect(() => reliability([1.2], [true])).toThrow(/confidences between 0 and 1, got 1.2 at index 0/);
    expect(() => reliability([1], [])).toThrow(/lists of one length, got 1 and 0/);
    expect(() => reliability([1], [true], 0)).toThrow(/bins must be a whole number from 1, got 0/);
  });
});

describe("fitLogistic", () => {
  it("finds the log odds of a table by hand", () => {
    // x = 0: 1 of 4 true; x = 1: 3 of 4 true. bias = ln(1/3), weight = ln 3 - ln(1/3).
    const features = [0, 0, 0, 0, 1, 1, 1, 1].map((x) => [x]);
    const labels = [true, false, false, false, true, true, true, false];
    const { weights, bias } = fitLogistic(features, labels, { l2: 0 });
    expect(bias).toBeCloseTo(Math.log(1 / 3), 6);
    expect(weights[0]).toBeCloseTo(2 * Math.log(3), 6);
  });

  it("recovers the weights that made the data", () => {
    const next = random(3);
    const features = Array.from({ length: 4000 }, () => [next() * 4 - 2, next() * 4 - 2]);
    const labels = features.map(([a = 0, b = 0]) => next() < logistic(1.5 * a - 0.7 * b + 0.3));
    const { weights, bias } = fitLogistic(features, labels);
    expect([...weights, bias].map((w, i) => Math.abs(w - [1.5, -0.7, 0.3][i]!) < 0.15)).toEqual([true, true, true]);
  });

  it("stays finite on separable data and with constant features", () => {
    const { weights, bias } = fitLogistic([[0], [0], [10], [10]], [false, false, true, true]);
    expect(logistic(weights[0]! * 10 + bias)).toBeGreaterThan(0.9);
    const flat = fitLogistic([[5], [5], [5], [5]], [true, true, true, false], { l2: 0 });
    expect(logistic(flat.weights[0]! * 5 + flat.bias)).toBeCloseTo(0.75, 6);
    const free = fitLogistic([[0], [1]], [false, true], { l2: 0 });
    expect(Number.isFinite(free.weights[0]!)).toBe(true);
  });

  it("shrinks weights under a penalty but leaves the bias free", () => {
    const features = [[-1], [1], [1], [1]];
    const labels = [false, true, true, true];
    const strong = fitLogistic(features, labels, { l2: 1e6 });
    expect(strong.weights[0]).toBeCloseTo(0, 4);
    expect(logistic(strong.bias)).toBeCloseTo(0.75, 3);
  });

  it("names bad input", () => {
    expect(() => fitLogistic([[1]], [true])).toThrow(
      "fitLogistic: needs true and false labels, got 1 that are all true",
    );
    expect(() => fitLogistic([[1]], [true, false])).toThrow("needs one label per row, got 1 rows and 2 labels");
    expect(() => fitLogistic([[1], [1, 2]], [true, false])).toThrow(
      "needs 1 features in every row, as in row 0, got 2 in row 1",
    );
    expect(() => fitLogistic([[1], [Number.NaN]], [true, false])).toThrow("needs finite features, got NaN in row 1");
    expect(() => fitLogistic([[1], [2]], [true, false], { l2: -1 })).toThrow("l2 must be 0 or more, got -1");
  });

  it("has a logistic function without overflow", () => {
    expect([logistic(0), logistic(1000), logistic(-1000)]).toEqual([0.5, 1, 0]);
  });
});
