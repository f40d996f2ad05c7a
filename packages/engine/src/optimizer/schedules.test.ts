import { describe, expect, it } from "vitest";
import { constantSchedule, cosineSchedule, linearSchedule, type Schedule } from "./schedules.ts";

const rates = (schedule: Schedule, steps: readonly number[]): number[] =>
  steps.map((step) => Number(schedule(step).toFixed(12)));

describe("constantSchedule", () => {
  it("is the same at every step", () => {
    expect(rates(constantSchedule(0.3), [0, 1, 1000])).toEqual([0.3, 0.3, 0.3]);
  });
});

describe("cosineSchedule", () => {
  it("grows from 0, then follows half a cosine to 0", () => {
    const schedule = cosineSchedule({ rate: 8, warmupSteps: 4, totalSteps: 12 });
    expect(rates(schedule, [0, 1, 2, 3, 4])).toEqual([0, 2, 4, 6, 8]);
    // Progress 1/4, 1/2, 3/4: cosine √½, 0, -√½.
    expect(rates(schedule, [6, 8, 10])).toEqual(
      [4 + 4 * Math.SQRT1_2, 4, 4 - 4 * Math.SQRT1_2].map((x) => Number(x.toFixed(12))),
    );
    expect(rates(schedule, [12, 13, 1e9])).toEqual([0, 0, 0]);
  });

  it("ends at the floor and stays there", () => {
    const schedule = cosineSchedule({ rate: 1, warmupSteps: 1, totalSteps: 3, floor: 0.1 });
    expect(rates(schedule, [0, 1, 2, 3, 4])).toEqual([0, 1, 0.55, 0.1, 0.1]);
  });

  it("starts at its highest without a warm-up", () => {
    expect(rates(cosineSchedule({ rate: 2, totalSteps: 2 }), [0, 1, 2])).toEqual([2, 1, 0]);
  });
});

describe("linearSchedule", () => {
  it("grows from 0, then falls in a straight line", () => {
    const schedule = linearSchedule({ rate: 6, warmupSteps: 2, totalSteps: 5 });
    expect(rates(schedule, [0, 1, 2, 3, 4, 5, 6])).toEqual([0, 3, 6, 4, 2, 0, 0]);
  });

  it("falls to the floor", () => {
    expect(rates(linearSchedule({ rate: 6, totalSteps: 2, floor: 2 }), [0, 1, 2, 9])).toEqual([6, 4, 2, 2]);
  });

  it("may be all warm-up", () => {
    expect(rates(linearSchedule({ rate: 1, warmupSteps: 2, totalSteps: 2 }), [0, 1, 2])).toEqual([0, 0.5, 0]);
  });
});

describe("schedules", () => {
  it("name what is impossible", () => {
    expect(() => constantSchedule(-1)).toThrow("constantSchedule: rate must be finite and at least 0, got -1");
    expect(() => constantSchedule(Number.NaN)).toThrow("got NaN");
    expect(() => cosineSchedule({ rate: 0.1, floor: 0.2, totalSteps: 9 })).toThrow(
      "cosineSchedule: rate must be finite and at least 0.2, got 0.1",
    );
    expect(() => linearSchedule({ rate: 1, totalSteps: 0 })).toThrow(
      "linearSchedule: totalSteps must be an integer of at least 1, got 0",
    );
    expect(() => linearSchedule({ rate: 1, warmupSteps: 3, totalSteps: 2 })).toThrow("at least 3, got 2");
    expect(() => cosineSchedule({ rate: 1, warmupSteps: 0.5, totalSteps: 2 })).toThrow(
      "cosineSchedule: warmupSteps must be an integer of at least 0, got 0.5",
    );
  });
});
