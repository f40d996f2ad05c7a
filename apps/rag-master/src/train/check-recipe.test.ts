import { describe, expect, it } from "vitest";
import { checkRecipe } from "./check-recipe.ts";
import line from "./testing/line.ts";

const problemsOf = (value: unknown): string => {
  try {
    checkRecipe(value, "r.ts");
    return "";
  } catch (error) {
    return (error as Error).message;
  }
};
const withOptimizer = (changed: object): unknown => ({ ...line, optimizer: { ...line.optimizer, ...changed } });

describe("checkRecipe", () => {
  it("gives a right recipe back as it is", () => {
    expect(checkRecipe(line, "r.ts")).toBe(line);
    expect(problemsOf(withOptimizer({ clipNorm: Infinity, beta1: 0, floor: 0.1, decaySteps: 5 }))).toBe("");
  });

  it.each([
    [{ ...line, steps: 0.5 }, "r.ts: steps must be a whole number of at least 1, found 0.5"],
    [{ ...line, seed: -1 }, "r.ts: seed must be a whole number of at least 0, found -1"],
    [{ ...line, name: " " }, 'r.ts: name must be a text that is not empty, found " "'],
    [{ ...line, stage: "stage1" }, 'r.ts: stage must be "compression" or "instruction" or "endToEnd", found "stage1"'],
    [{ ...line, build: "code" }, 'r.ts: build must be a function, found "code"'],
    [
      { ...line, data: { a: { path: "a", about: "b" } } },
      "r.ts: data.a.licence must be a text that is not empty, found nothing",
    ],
    [withOptimizer({ learningRate: 0 }), "r.ts: optimizer.learningRate must be a number above 0, found 0"],
    [withOptimizer({ clipNorm: Number.NaN }), "r.ts: optimizer.clipNorm must be a number above 0, found NaN"],
    [withOptimizer({ beta2: 1 }), "r.ts: optimizer.beta2 must be a number of at least 0 and below 1, found 1"],
    [
      withOptimizer({ schedule: "cosinus" }),
      /optimizer\.schedule must be "constant" or .*"trapezoid", found "cosinus"/,
    ],
    [withOptimizer({ schedule: "trapezoid" }), 'r.ts: optimizer.decaySteps is needed by the schedule "trapezoid"'],
    [undefined, "r.ts: a recipe must be an object, exported as the file's default, found nothing"],
    [[], "r.ts: a recipe must be an object, exported as the file's default, found a list of 0"],
  ])("says what is wrong with a field: case %#", (value, message) => {
    expect(problemsOf(value)).toMatch(message);
  });

  it.each([
    [{ ...line, step: 5 }, 'r.ts: step is no field of a recipe; did you mean "steps"?'],
    [
      withOptimizer({ learningrate: 1 }),
      'r.ts: optimizer.learningrate is no field of a recipe; did you mean "learningRate"?',
    ],
    [
      { ...line, data: { a: { path: "a", about: "b", license: "c" } } },
      'data.a.license is no field of a recipe; did you mean "licence"?',
    ],
    [
      { ...line, epochs: 3 },
      "epochs is no field of a recipe; expected name, stage, about, steps, seed, optimizer, data, build",
    ],
  ])("suggests what an unknown field was meant to be: case %#", (value, message) => {
    expect(problemsOf(value)).toContain(message);
  });

  it("names all problems at once", () => {
    expect(problemsOf({ ...line, steps: "5", seed: null, extra: 1 }).split("\n")).toHaveLength(3);
  });
});
