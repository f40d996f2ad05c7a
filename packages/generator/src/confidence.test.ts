import { describe, expect, it } from "vitest";
import { confidenceOf, logit } from "./confidence.ts";

describe("confidenceOf", () => {
  it("is the logistic of the fit", () => {
    const fit = { bias: -1, margin: 0.5, support: 2 };
    expect(confidenceOf({ margin: 2, support: 0.5 }, fit)).toBeCloseTo(0.5, 12);
    expect(confidenceOf({ margin: 4, support: 0.5 }, fit)).toBeCloseTo(1 / (1 + Math.exp(-1)), 12);
    // The odds of ¾ are 3.
    expect(confidenceOf({ margin: 2, support: 0.75 }, fit)).toBeCloseTo(1 / (1 + Math.exp(-2 * Math.log(3))), 12);
  });
});

describe("logit", () => {
  it("is the log of the odds, and finite at 0 and 1", () => {
    expect(logit(0.5)).toBe(0);
    expect(logit(0.75)).toBeCloseTo(Math.log(3), 12);
    expect(logit(0)).toBeCloseTo(-Math.log(999), 12);
    expect(logit(1)).toBeCloseTo(Math.log(999), 12);
  });
});
