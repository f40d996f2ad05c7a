import type { Weights } from "@clara/core";
import type { Engine } from "@clara/engine";
import { random } from "../random.ts";
import { townTokenizer, townWords } from "../reading/towns.testing.ts";
import type { Recipe, RecipeContext, Task, TrainableModel } from "../recipe.ts";
import { train } from "../train.ts";

/** Sizes of a model that a test can train. */
export const tiny = { D: 16, F: 24, layers: 2, heads: 2, positions: 160, d: 8 } as const;

type Drawn = { readonly shape: readonly number[]; readonly data: Float32Array };

/**
 * A model of random numbers whose compressor and reader differ, by the names in its weights file.
 *
 * @param options.bottleneck whether the compressor has one, of width `tiny.d`
 */
export function tinyMini({
  seed = 1,
  bottleneck = true,
}: {
  seed?: number;
  bottleneck?: boolean;
} = {}): TrainableModel {
  const { D, F, layers, heads, positions, d } = tiny;
  const { next } = random(seed);
  const tensor = (...shape: number[]): Drawn => {
    return { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => (next() - 0.5) * 0.8) };
  };
  const filled = (value: number): Drawn => ({ shape: [D], data: new Float32Array(D).fill(value) });
  const norm = (name: string): Record<string, Drawn> => ({
    [`${name}.weight`]: filled(1),
    [`${name}.bias`]: filled(0),
  });
  const layer = (name: string): Record<string, Drawn> => {
    const maps: [string, number, number][] = [
      ...["self.query", "self.key", "self.value", "output.dense"].map((map): [string, number, number] => {
        return [`attention.${map}`, D, D];
      }),
      ["intermediate.dense", F, D],
      ["output.dense", D, F],
    ];
    return Object.assign(
      {},
      ...maps.map(([map, O, I]) => ({ [`${name}.${map}.weight`]: tensor(O, I), [`${name}.${map}.bias`]: tensor(O) })),
      norm(`${name}.attention.output.LayerNorm`),
      norm(`${name}.output.LayerNorm`),
    );
  };
  const stacks = ["compressor", "reader"].flatMap((stack) =>
    Array.from({ length: layers }, (_, i) => layer(`${stack}.layer.${i}`)),
  );
  const vocabulary = townWords.length;
  const weights: Weights = Object.assign(
    {
      "embeddings.word_embeddings.weight": tensor(vocabulary, D),
      "embeddings.position_embeddings.weight": tensor(positions, D),
      "embeddings.token_type_embeddings.weight": tensor(2, D),
      "reader.span.weight": tensor(2, D),
      "reader.span.bias": tensor(2),
      ...(bottleneck && { "compressor.bottleneck.weight": tensor(D, d) }),
    },
    norm("embeddings.LayerNorm"),
    ...stacks,
  );
  const config = { width: D, layers, heads, feedForward: F, vocabulary, positions, layerNormEps: 1e-12 };
  return { config, weights, tokenizer: townTokenizer };
}

/** The model after what has been trained. */
export function withWeights(model: TrainableModel, trained: Weights): TrainableModel {
  return { ...model, weights: { ...model.weights, ...trained } };
}

export type Build = (context: Pick<RecipeContext, "engine" | "model">) => Promise<Task>;

export interface Ran {
  readonly losses: readonly number[];
  readonly measures: readonly Readonly<Record<string, number>>[];
  /** After the last step. */
  readonly weights: Weights;
  /** After each step. */
  readonly checkpoints: readonly Uint8Array[];
}

/** Trains at a constant rate. */
export async function ran(
  context: { readonly engine: Engine; readonly model: TrainableModel },
  build: Build,
  { steps, resume, rate = 0.01 }: { steps: number; resume?: Uint8Array; rate?: number },
): Promise<Ran> {
  const recipe: Recipe = {
    ...{ name: "tiny", stage: "instruction", about: "a test's", steps, seed: 1, data: {}, build },
    optimizer: { learningRate: rate, schedule: "constant", warmupSteps: 0, weightDecay: 0.01, clipNorm: 1 },
  };
  const read = (name: string): never => {
    throw new Error(`nothing reads ${name}`);
  };
  const found: { losses: number[]; measures: Record<string, number>[]; weights: Weights; checkpoints: Uint8Array[] } = {
    ...{ losses: [], measures: [], weights: {}, checkpoints: [] },
  };
  for await (const step of train(recipe, { ...context, read, resume })) {
    found.losses.push(step.loss);
    found.measures.push(step.measures);
    found.checkpoints.push(await step.checkpoint());
    if (step.step === steps) found.weights = await step.weights();
  }
  return found;
}

/** What a task would train, before it has. */
export async function startOf(context: { engine: Engine; model: TrainableModel }, build: Build): Promise<Weights> {
  const task = await build(context);
  const read = await Promise.all(task.params.filter(({ trainable }) => trainable).map((store) => store.read()));
  for (const store of task.params) await store.dispose();
  return task.weights(Object.assign({}, ...read));
}

/** Names of the tensors that a model does not have, or not bit for bit. */
export function changed(model: Weights, tensors: Weights): string[] {
  return Object.keys(tensors).filter((name) => {
    const [a, b] = [model[name], tensors[name]!];
    return a?.shape.join() !== b.shape.join() || !b.data.every((value, i) => Object.is(value, a.data[i]));
  });
}

/** Mean of some numbers. */
export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
