import { ClaraError } from "@clara/core";
import type { Recipe } from "@clara/train";
import { z } from "zod";
import { show } from "../config/problems.ts";
import { suggest } from "../config/suggest.ts";

// Every field says what it expects in words: zod's `error` carries them to the message, after "must be".
const text = (error = "a text that is not empty") => z.string({ error }).trim().min(1, { error });
const whole = (min: number) => {
  const error = `a whole number of at least ${min}`;
  return z.int({ error }).min(min, { error });
};
const real = (error: string, fits: (value: number) => boolean) => z.number({ error }).refine(fits, { error });
const words = <const T extends readonly [string, ...string[]]>(list: T) =>
  z.enum(list, { error: list.map((word) => `"${word}"`).join(" or ") });
const share = real("a number of at least 0 and below 1", (value) => value >= 0 && value < 1).optional();
const least0 = real("a number of at least 0", (value) => value >= 0);

const optimizer = {
  learningRate: real("a number above 0", (value) => value > 0),
  schedule: words(["constant", "linear", "cosine", "trapezoid"]),
  warmupSteps: whole(0),
  decaySteps: whole(1).optional(),
  floor: least0.optional(),
  weightDecay: least0,
  clipNorm: z.custom<number>((value) => typeof value === "number" && value > 0, { error: "a number above 0" }),
  beta1: share,
  beta2: share,
};
const dataFile = { path: text(), about: text(), licence: text() };
const fields = {
  name: text(),
  stage: words(["compression", "instruction", "endToEnd"]),
  about: text(),
  steps: whole(1),
  seed: whole(0),
  optimizer: z.strictObject(optimizer, { error: "an object with the optimizer's settings" }),
  data: z.record(z.string(), z.strictObject(dataFile, { error: "an object with path, about and licence" }), {
    error: "an object with a data file for each name (empty when there are none)",
  }),
  build: z.custom<Recipe["build"]>((value) => typeof value === "function", { error: "a function" }),
};
const schema = z.strictObject(fields, { error: "an object, exported as the file's default" });

/**
 * Checks what a recipe's file exports.
 *
 * @param file how messages name it
 * @throws ClaraError "config" with everything that is wrong, one problem a line.
 */
export function checkRecipe(value: unknown, file: string): Recipe {
  const { error } = schema.safeParse(value);
  const problems = error?.issues.flatMap((issue): string[] => {
    const path = issue.path.map(String);
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownField([...path, key]));
    const found = path.reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], value);
    return [`${path.join(".") || "a recipe"} must be ${issue.message}, found ${show(found)}`];
  });
  if (problems) throw new ClaraError("config", problems.map((problem) => `${file}: ${problem}`).join("\n"));
  const recipe = value as Recipe;
  if (recipe.optimizer.schedule === "trapezoid" && recipe.optimizer.decaySteps === undefined) {
    throw new ClaraError("config", `${file}: optimizer.decaySteps is needed by the schedule "trapezoid"`);
  }
  return recipe;
}

function unknownField(path: readonly string[]): string {
  const within = path[0] === "data" ? path.slice(0, 2) : path.slice(0, -1);
  const known = within[0] === "data" ? dataFile : within[0] === "optimizer" ? optimizer : fields;
  const names = Object.keys(known).map((name) => [...within, name].join("."));
  const meant = suggest(path.join("."), names);
  return `${path.join(".")} is no field of a recipe; ${meant ? `did you mean "${meant}"?` : `expected ${Object.keys(known).join(", ")}`}`;
}
