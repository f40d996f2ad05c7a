import type { Weights } from "@clara/core";
import { decodeCheckpoint, encodeCheckpoint } from "./checkpoint.ts";
import { type Recipe, type RecipeContext, scheduleOf } from "./recipe.ts";
import { type TrainingStep, trainSteps } from "./train-steps.ts";

export interface TrainOptions extends Omit<RecipeContext, "seed"> {
  /** Instead of the recipe's: a trial, or a longer run. */
  readonly steps?: number | undefined;
  /** Bytes of a checkpoint of this recipe: the run goes on there as if it had never stopped. */
  readonly resume?: Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A step of a recipe. Its methods may be called until the next step is asked for. */
export interface RecipeStep extends TrainingStep {
  /** Steps in all. */
  readonly steps: number;
  /** All that is needed to go on from here, bit for bit: for `resume`. */
  checkpoint(): Promise<Uint8Array>;
  /** What config.json says of the trained model that it did not say of the one before. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The tensors that have been trained, by the names in the model's weights file. */
  weights(): Promise<Weights>;
}

/**
 * Trains by a recipe, step by step: the caller prints, saves and stops; `break` frees what is in the engine.
 *
 * @throws ClaraError "option" when the checkpoint is another recipe's, and what `trainSteps` and the recipe throw.
 */
export async function* train(recipe: Recipe, options: TrainOptions): AsyncGenerator<RecipeStep, void, void> {
  const { engine, steps = recipe.steps, resume, signal } = options;
  const from = resume && decodeCheckpoint(resume, recipe.name);
  const task = await recipe.build({ ...options, seed: recipe.seed });
  const stores = task.params;
  const trainer = await engine.trainer(task.loss, task.specs, {
    params: stores,
    ...(task.rate && { rate: task.rate }),
    ...(task.leastSizes && { leastSizes: task.leastSizes }),
  });
  try {
    if (from) {
      for (const store of stores) {
        if (!store.trainable) continue;
        const own = Object.keys(store.shapes).filter((name) => name in from.params);
        await store.write(Object.fromEntries(own.map((name) => [name, from.params[name]!])));
      }
      await trainer.restore(from.optimizer);
    }
    const read = async () =>
      Object.assign(
        {},
        ...(await Promise.all(stores.filter(({ trainable }) => trainable).map((store) => store.read()))),
      );
    const {
      learningRate: _,
      schedule: __,
      warmupSteps: ___,
      decaySteps: ____,
      floor: _____,
      ...optimizer
    } = recipe.optimizer;
    const taken = trainSteps({
      trainer,
      batches: task.batches,
      schedule: scheduleOf(recipe.optimizer, steps),
      steps,
      optimizer,
      from,
      signal,
    });
    for await (const step of taken) {
      yield {
        ...step,
        steps,
        async checkpoint() {
          const { step: done, position } = step;
          const [params, optimizer] = [await read(), await trainer.state()];
          return encodeCheckpoint({ recipe: recipe.name, params, step: done, position, optimizer });
        },
        config: task.config ?? {},
        weights: async () => task.weights(await read()),
      };
    }
  } finally {
    await trainer.dispose();
    for (const store of stores) await store.dispose();
  }
}
