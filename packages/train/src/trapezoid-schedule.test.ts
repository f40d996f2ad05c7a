import { describe, expect, it } from "vitest";
import { trapezoidSchedule } from "./trapezoid-schedule.ts";

const rates = (options: Parameters<typeof trapezoidSchedule>[0], count: number): number[] => {
  const schedule = trapezoidSchedule(options);
  return Array.from({ length: count }, (_, step) => Number(schedule(step).toFixed(6)));
};

describe("trapezoidSchedule", () => {
  it("rises, stays, and falls over the last steps", () => {
    const options = { rate: 4, warmupSteps: 2, decaySteps: 4, totalSteps: 9 };
    expect(rates(options, 11)).toEqual([0, 2, 4, 4, 4, 4, 3, 2, 1, 0, 0]);
  });

  it("falls to the floor, and stays there", () => {
    expect(rates({ rate: 4, decaySteps: 2, totalSteps: 3, floor: 2 }, 5)).toEqual([4, 4, 3, 2, 2]);
  });

  it("is the same up to its fall however long the run is", () => {
    const options = { rate: 4, warmupSteps: 3, decaySteps: 5 };
    const [short, long] = [rates({ ...options, totalSteps: 15 }, 10), rates({ ...options, totalSteps: 500 }, 10)];
    expect(short).toEqual(long);
  });

  it("may be all rise and fall", () => {
    expect(rates({ rate: 2, warmupSteps: 2, decaySteps: 2, totalSteps: 4 }, 4)).toEqual([0, 1, 2, 1]);
  });

  it.each([0, 1.5, -1, Number.NaN])("refuses %s steps of fall", (decaySteps) => {
    expect(() => trapezoidSchedule({ rate: 1, warmupSteps: 3, decaySteps, totalSteps: 10 })).toThrow(
      /decaySteps must be a whole number from 1, got/,
    );
  });

  it("says how many steps a rise and a fall take", () => {
    expect(() => trapezoidSchedule({ rate: 1, warmupSteps: 3, decaySteps: 8, totalSteps: 10 })).toThrow(
      "10 steps are too few to rise for 3 (warmupSteps) and fall for 8 (decaySteps); at least 11 are needed",
    );
  });
});
