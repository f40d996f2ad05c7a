import { bertEmbeddingArrays, bertLayerArrays, encodeBert, nestBert } from "@clara/model";
import { tf } from "@clara/tensor";
import { random } from "./random.ts";
import type { Recipe, RecipeContext, TrainableModel } from "./recipe.ts";
import type { Batches, TrainingBatch } from "./train-steps.ts";

/** Sizes of a transformer that a test can train; it is traced with sequences longer than T. */
export const tiny = { V: 20, D: 8, F: 12, positions: 64, layers: 2, heads: 2, T: 5 };

/** One part of `count` sequences of words that keys decide, and one number for each. */
export function part(count: number, ...keys: number[]): TrainingBatch["parts"][number] {
  const { below, next } = random(...keys);
  const { V, T } = tiny;
  const ids = Int32Array.from({ length: count * T }, () => below(V));
  return {
    ids: { data: ids, shape: [count, T] },
    types: { data: new Int32Array(count * T), shape: [count, T] },
    mask: { data: new Int32Array(count * T).fill(1), shape: [count, T] },
    y: { data: Float32Array.from({ length: count }, next), shape: [count] },
  };
}

/** Batches of four in two parts; an epoch has five. */
export const batches: Batches = function* (from) {
  for (let { epoch, cursor } = from; ; epoch++, cursor = 0) {
    for (; cursor < 20; cursor += 4) {
      yield {
        parts: [part(2, epoch, cursor), part(2, epoch, cursor + 2)],
        divisor: 4,
        tokens: 20,
        examples: 4,
        ids: [0, 1, 2, 3].map((i) => `example ${cursor + i}`),
        next: { epoch, cursor: cursor + 4 },
      };
    }
  }
};

/** A model of random numbers, in the checkpoint's names. */
export function tinyModel(seed = 1): TrainableModel {
  const { V, D, F, positions, layers } = tiny;
  const { next } = random(seed);
  const tensor = (...shape: number[]) => ({
    shape,
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => next() - 0.5),
  });
  const weights: Record<string, ReturnType<typeof tensor>> = {
    "embeddings.word_embeddings.weight": tensor(V, D),
    "embeddings.position_embeddings.weight": tensor(positions, D),
    "embeddings.token_type_embeddings.weight": tensor(2, D),
    "embeddings.LayerNorm.weight": tensor(D),
    "embeddings.LayerNorm.bias": tensor(D),
  };
  const dense: [string, number, number][] = [
    ["attention.self.query", D, D],
    ["attention.self.key", D, D],
    ["attention.self.value", D, D],
    ["attention.output.dense", D, D],
    ["intermediate.dense", F, D],
    ["output.dense", D, F],
  ];
  for (let i = 0; i < layers; i++) {
    for (const [name, O, I] of dense) {
      weights[`encoder.layer.${i}.${name}.weight`] = tensor(O, I);
      weights[`encoder.layer.${i}.${name}.bias`] = tensor(O);
    }
    for (const name of ["attention.output.LayerNorm", "output.LayerNorm"]) {
      weights[`encoder.layer.${i}.${name}.weight`] = tensor(D);
      weights[`encoder.layer.${i}.${name}.bias`] = tensor(D);
    }
  }
  // Nothing here turns text into tokens.
  return { config: {}, weights, tokenizer: {} as TrainableModel["tokenizer"] };
}

/** Trains a tiny BERT to give each sequence its number; its lowest layer is frozen. */
export const tinyRecipe: Recipe = {
  name: "tiny",
  stage: "instruction",
  about: "A number for each sequence.",
  steps: 12,
  seed: 1,
  optimizer: { learningRate: 0.01, schedule: "cosine", warmupSteps: 2, weightDecay: 0.01, clipNorm: 1 },
  data: {},
  async build({ engine, model }: RecipeContext) {
    const { D, layers, heads } = tiny;
    const embeddings = await engine.params(bertEmbeddingArrays(model.weights));
    const stack = await engine.params(bertLayerArrays(model.weights, { layers, width: D, prefix: "encoder" }), {
      trainable: true,
    });
    const head = await engine.params({ "head.weight": { shape: [D], data: new Float32Array(D) } }, { trainable: true });
    return {
      loss: ({ ids, types, mask, y }, { "head.weight": weight, ...flat }) => {
        const batch = { ids: ids as tf.Tensor2D, types: types as tf.Tensor2D, mask: mask as tf.Tensor2D };
        const states = encodeBert(nestBert(flat), batch, { heads }); // [B, T, D]
        const found = tf.sum(tf.mul(tf.mean(states, 1), weight!), 1); // [B]
        const error = tf.sum(tf.squaredDifference(found, y!)); // []
        return { loss: error, highest: tf.max(found) };
      },
      specs: {
        ids: { shape: ["B", "T"], dtype: "int32" },
        types: { shape: ["B", "T"], dtype: "int32" },
        mask: { shape: ["B", "T"], dtype: "int32" },
        y: { shape: ["B"] },
      },
      params: [embeddings, stack, head],
      rate: (name) => (name.startsWith("layers.0.") ? 0 : 1),
      batches,
      weights: (trained) =>
        Object.fromEntries(
          Object.entries(trained).map(([name, { data, shape }]) => [name, { data: data as Float32Array, shape }]),
        ),
    };
  },
};
