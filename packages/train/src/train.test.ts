import { createEngine, type Engine } from "@clara/engine";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeCheckpoint, encodeCheckpoint } from "./checkpoint.ts";
import type { Recipe } from "./recipe.ts";
import { tinyModel, tinyRecipe } from "./tiny-recipe.testing.ts";
import { type RecipeStep, type TrainOptions, train } from "./train.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ prefer: "compiled", threads: 1 });
});
afterAll(() => engine?.dispose());

const noData = (name: string): Promise<Uint8Array> => Promise.reject(new Error(`nothing reads ${name}`));

interface Ran {
  readonly steps: readonly RecipeStep[];
  readonly checkpoints: readonly Uint8Array[];
  readonly weights: Awaited<ReturnType<RecipeStep["weights"]>>;
}

async function ran(options: Partial<TrainOptions> = {}, until = Infinity, recipe: Recipe = tinyRecipe): Promise<Ran> {
  const steps: RecipeStep[] = [];
  const checkpoints: Uint8Array[] = [];
  let weights: Ran["weights"] = {};
  for await (const step of train(recipe, { engine, model: tinyModel(), read: noData, ...options })) {
    steps.push(step);
    checkpoints.push(await step.checkpoint());
    weights = await step.weights();
    if (step.step >= until) break;
  }
  return { steps, checkpoints, weights };
}

describe("train", () => {
  it("takes the recipe's steps at the schedule's rates, and lowers the loss", async () => {
    const { steps } = await ran();
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(steps[0]).toMatchObject({ steps: 12, learningRate: 0, tokens: 20, examples: 4 });
    expect(steps[2]!.learningRate).toBe(0.01);
    expect(steps[0]!.position).toEqual({ epoch: 0, cursor: 4 });
    // The head is zero at first, so the error of a number from 0 to 1 is about 1/3.
    expect(steps.at(-1)!.loss).toBeLessThan(steps[0]!.loss / 2);
    expect(Object.keys(steps[0]!.measures)).toEqual(["highest"]);
  });

  it("changes what is trained, and nothing else", async () => {
    const [before, { weights }] = [await ran({}, 1), await ran()];
    const changed = Object.keys(weights).filter((name) => {
      return !Buffer.from(weights[name]!.data.buffer).equals(Buffer.from(before.weights[name]!.data.buffer));
    });
    expect(changed).toContain("head.weight");
    expect(changed.filter((name) => name.startsWith("layers.0."))).toEqual([]);
    expect(changed.filter((name) => name.startsWith("layers.1.")).length).toBeGreaterThan(8);
    expect(Object.keys(weights).filter((name) => name.startsWith("embeddings"))).toEqual([]);
  });

  it("goes on from any checkpoint to the same bytes, also across an epoch's end", async () => {
    const { checkpoints, steps } = await ran();
    for (const at of [1, 5, 11]) {
      const resumed = await ran({ resume: checkpoints[at - 1]! });
      expect(resumed.steps.map(({ step, loss }) => [step, loss])).toEqual(
        steps.slice(at).map(({ step, loss }) => [step, loss]),
      );
      resumed.checkpoints.forEach((bytes, i) => {
        expect(Buffer.compare(bytes, checkpoints[at + i]!), `step ${at + i + 1}`).toBe(0);
      });
    }
  });

  it("has nothing left to do at a finished checkpoint, and more when the run is made longer", async () => {
    const { checkpoints } = await ran({ steps: 3 });
    expect((await ran({ steps: 3, resume: checkpoints.at(-1)! })).steps).toEqual([]);
    const longer = await ran({ steps: 5, resume: checkpoints.at(-1)! });
    expect(longer.steps.map(({ step, steps }) => [step, steps])).toEqual([
      [4, 5],
      [5, 5],
    ]);
  });

  it("refuses a checkpoint of another recipe, and of another model's shape", async () => {
    const { checkpoints } = await ran({}, 1);
    const other = { ...tinyRecipe, name: "other" };
    await expect(ran({ resume: checkpoints[0]! }, 1, other)).rejects.toMatchObject({
      code: "option",
      message: expect.stringMatching(/is of "tiny", this run is "other"; resume with its own recipe/),
    });
    const saved = decodeCheckpoint(checkpoints[0]!, "tiny");
    const head = { data: new Float32Array(3), shape: [3] };
    const foreign = encodeCheckpoint({ ...saved, params: { ...saved.params, "head.weight": head } });
    await expect(ran({ resume: foreign })).rejects.toMatchObject({ code: "shape" });
  });

  it("stops when the signal fires, and frees the engine for the next run", async () => {
    const stop = new AbortController();
    const taken: number[] = [];
    const stopped = async (): Promise<void> => {
      const options = { engine, model: tinyModel(), read: noData, signal: stop.signal };
      for await (const { step } of train(tinyRecipe, options)) {
        taken.push(step);
        if (step === 2) stop.abort();
      }
    };
    await expect(stopped()).rejects.toMatchObject({ code: "aborted" });
    expect(taken).toEqual([1, 2]);
    expect((await ran({}, 1)).steps).toHaveLength(1);
  });
});
