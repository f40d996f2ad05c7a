import type { HostTensors } from "@clara/engine";
import { bertEmbeddingArrays, bertLayerArrays, bertLayerWeights, encodeBert, nestBert } from "@clara/model";
import { tf } from "@clara/tensor";
import { type MemorySearchLossOptions, memorySearchLoss } from "../losses/memory-search-loss.ts";
import { roundedMemories } from "../losses/rounded-memories.ts";
import type { RecipeContext, Task } from "../recipe.ts";
import { compileStates } from "./passage-states.ts";
import { principalAxes, spreadAxes } from "./principal-axes.ts";
import { type SearchBatchesOptions, searchBatches } from "./search-batches.ts";
import { layerRate, shapeOf } from "./shape.ts";

export interface SearchTaskOptions extends Omit<SearchBatchesOptions, "tokenizer">, MemorySearchLossOptions {
  /** Numbers of a memory token. Where the model has no bottleneck of that width yet, it starts from principal axes. @default 256 */
  readonly memoryWidth?: number;
  /** Lowest layers that stay as they are. @default all */
  readonly frozenLayers?: number;
  /** Whether memory tokens are rounded as 2 bits do, so that the bottleneck learns to be. @default true */
  readonly rounded?: boolean;
  /** Texts that principal axes are found from. @default 1200 */
  readonly sample?: number;
}

/**
 * Trains the model's compressor (`compressor.…`) and its bottleneck so that the memory tokens that hold an answer lie
 * where its question points. Questions go the same way as passages.
 */
export async function searchTask(
  context: Pick<RecipeContext, "engine" | "model">,
  options: SearchTaskOptions,
): Promise<Task> {
  const { engine, model } = context;
  const { heads, layers, width, layerNormEps } = shapeOf(model);
  const { memoryWidth = 256, frozenLayers = layers, rounded = true, ...rest } = options;
  const { temperature, windowWeight, keyWeight, ...batches } = rest;
  const bottleneck = model.weights["compressor.bottleneck.weight"];
  const known = bottleneck?.shape[1] === memoryWidth;
  const arrays: HostTensors = {
    ...bertLayerArrays(model.weights, { layers, width, prefix: "compressor" }, "searchTask"),
    "bottleneck.weight": {
      shape: [width, memoryWidth],
      data: known ? bottleneck.data : spreadAxes(await axesOf(context, options, memoryWidth), memoryWidth),
    },
  };
  const params = [
    await engine.params(bertEmbeddingArrays(model.weights, "searchTask")),
    await engine.params(arrays, { trainable: true }),
  ];
  const ids = (name: string) => ({ shape: ["N", name], dtype: "int32" }) as const;
  const settings: MemorySearchLossOptions = {
    ...(temperature !== undefined && { temperature }),
    ...(windowWeight !== undefined && { windowWeight }),
    ...(keyWeight !== undefined && { keyWeight }),
  };
  return {
    params,
    specs: {
      ids: ids("T"),
      mask: ids("T"),
      questionIds: ids("U"),
      questionMask: ids("U"),
      pool: { shape: ["N", "M", "T"] },
      tokens: { shape: ["N", "M"] },
      holds: { shape: ["N", "M"] },
    },
    rate: layerRate(frozenLayers, 6),
    loss(inputs, tensors) {
      const { ids, mask, questionIds, questionMask, tokens, holds } = inputs as Record<string, tf.Tensor2D>;
      const pool = inputs.pool as tf.Tensor3D;
      const bert = nestBert(tensors);
      const encode = (given: tf.Tensor2D, kept: tf.Tensor2D) =>
        encodeBert(bert, { ids: given, types: tf.zerosLike(given), mask: kept }, { heads, layerNormEps });
      const [N, M] = pool.shape;
      const down = tensors["bottleneck.weight"] as tf.Tensor2D;
      const windows = tf.reshape(tf.matMul(pool, encode(ids!, mask!)), [N * M, width]) as tf.Tensor2D;
      const narrow = tf.matMul(windows, down) as tf.Tensor2D;
      const memories = tf.reshape(rounded ? roundedMemories(narrow) : narrow, [N, M, memoryWidth]) as tf.Tensor3D;
      const kept = tf.reshape(tf.cast(questionMask!, "float32"), [N, questionIds!.shape[1], 1]);
      const asked = tf.sum(tf.mul(encode(questionIds!, questionMask!), kept), 1) as tf.Tensor2D; // [N, D]
      return memorySearchLoss(tf.matMul(asked, down) as tf.Tensor2D, memories, tokens!, holds!, settings);
    },
    batches: searchBatches({ ...batches, tokenizer: model.tokenizer }),
    weights(trained) {
      const { "bottleneck.weight": weight, ...rest } = trained as Record<string, HostTensors[string]>;
      return {
        ...bertLayerWeights(rest as typeof model.weights, { prefix: "compressor" }),
        "compressor.bottleneck.weight": { shape: [width, memoryWidth], data: weight!.data as Float32Array },
      };
    },
  };
}

/** The directions in which windows of 16 tokens and questions differ most. */
async function axesOf(
  { engine, model }: Pick<RecipeContext, "engine" | "model">,
  { records, sample = 1200 }: SearchTaskOptions,
  count: number,
): Promise<Float32Array> {
  const { width } = shapeOf(model);
  const every = Math.max(1, Math.floor(records.length / sample));
  const chosen = records.filter((_, i) => i % every === 0);
  // States before a bottleneck of another width.
  const { "compressor.bottleneck.weight": _, ...weights } = model.weights;
  const encoder = await compileStates(engine, { ...model, weights });
  const rows: Float32Array[] = [];
  for (const [text, window] of chosen.flatMap(({ text, question }) => [
    [text, 16] as const,
    [question, 256] as const,
  ])) {
    const { tokenizer } = model;
    const ids = [tokenizer.cls, ...tokenizer.encode(text).ids.subarray(0, 254), tokenizer.sep];
    const states = await encoder.run([ids]);
    for (let from = 0; from < ids.length; from += window) {
      const mean = new Float32Array(width);
      for (let t = from; t < Math.min(ids.length, from + window); t++)
        for (let d = 0; d < width; d++) mean[d]! += states[0]![t * width + d]!;
      rows.push(mean);
    }
  }
  await encoder.dispose();
  return principalAxes(rows, count);
}
