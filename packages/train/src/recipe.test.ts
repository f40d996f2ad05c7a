import { describe, expect, it } from "vitest";
import { type OptimizerSettings, scheduleOf } from "./recipe.ts";

const settings: OptimizerSettings = {
  learningRate: 2,
  schedule: "linear",
  warmupSteps: 2,
  weightDecay: 0,
  clipNorm: 1,
};
const rates = (changed: Partial<OptimizerSettings>, total: number): number[] => {
  const schedule = scheduleOf({ ...settings, ...changed }, total);
  return Array.from({ length: total + 1 }, (_, step) => Number(schedule(step).toFixed(6)));
};

describe("scheduleOf", () => {
  it("warms up, then falls as the recipe says", () => {
    expect(rates({}, 6)).toEqual([0, 1, 2, 1.5, 1, 0.5, 0]);
    expect(rates({ schedule: "cosine" }, 4)).toEqual([0, 1, 2, 1, 0]);
    expect(rates({ schedule: "trapezoid", decaySteps: 2 }, 6)).toEqual([0, 1, 2, 2, 2, 1, 0]);
    expect(rates({ schedule: "constant" }, 4)).toEqual([0, 1, 2, 2, 2]);
  });

  it("ends at the floor", () => {
    expect(rates({ floor: 1 }, 4)).toEqual([0, 1, 2, 1.5, 1]);
    expect(rates({ schedule: "cosine", floor: 1 }, 4)).toEqual([0, 1, 2, 1.5, 1]);
    expect(rates({ schedule: "trapezoid", decaySteps: 2, floor: 1 }, 5)).toEqual([0, 1, 2, 2, 1.5, 1]);
  });

  it("refuses a run that is shorter than its warm-up or its fall", () => {
    expect(() => rates({ warmupSteps: 9 }, 8)).toThrow(/totalSteps must be an integer of at least 9/);
    expect(() => rates({ schedule: "trapezoid", decaySteps: 9 }, 8)).toThrow(
      /^trapezoidSchedule: 8 steps are too few .* at least 11 /,
    );
    expect(() => rates({ schedule: "trapezoid" }, 8)).toThrow(/decaySteps .* got 0/);
  });
});
