import type { HostTensors } from "@clara/engine";
import { bertEmbeddingArrays, bertLayerArrays, bertLayerWeights, encodeBert, nestBert } from "@clara/model";
import { linear, type tf } from "@clara/tensor";
import { spanLoss } from "../losses/span-loss.ts";
import { type ReadingBatchesOptions, readingBatches } from "../reading/reading-batches.ts";
import type { RecipeContext, Task } from "../recipe.ts";
import { layerRate, shapeOf } from "./shape.ts";

export interface ReadingTaskOptions extends Omit<ReadingBatchesOptions, "tokenizer"> {
  /** Lowest layers that stay as they are: they cost a third of the time and learn least. @default 2 */
  readonly frozenLayers?: number;
}

/**
 * Trains the model's reader (`reader.…`) to find answers in text; the embeddings stay as they are. Where `titled` examples are among
 * its own, the model's configuration says so, and it is shown titles from then on.
 */
export async function readingTask(
  { engine, model }: Pick<RecipeContext, "engine" | "model">,
  { frozenLayers = 2, titled = model.config.titledReader === true ? 1 : 0, ...options }: ReadingTaskOptions,
): Promise<Task> {
  const { weights, tokenizer } = model;
  const { heads, layers, width, layerNormEps } = shapeOf(model);
  const head = weights["reader.span.weight"]!; // [2, D]
  const arrays: HostTensors = {
    ...bertLayerArrays(weights, { layers, width, prefix: "reader" }, "readingTask"),
    "span.weight": { shape: [width, 2], data: transposed(head.data, 2, width) },
    "span.bias": { shape: [2], data: weights["reader.span.bias"]!.data },
  };
  const params = [
    await engine.params(bertEmbeddingArrays(weights, "readingTask")),
    await engine.params(arrays, { trainable: true }),
  ];
  const tokens = { shape: ["B", "T"], dtype: "int32" } as const;
  return {
    params,
    specs: { ids: tokens, types: tokens, mask: tokens, open: tokens, spans: { shape: ["B", 2], dtype: "int32" } },
    rate: layerRate(frozenLayers),
    loss(inputs, tensors) {
      const { ids, types, mask, open, spans } = inputs as Record<string, tf.Tensor2D>;
      const batch = { ids: ids!, types: types!, mask: mask! };
      const states = encodeBert(nestBert(tensors), batch, { heads, layerNormEps });
      const { "span.weight": weight, "span.bias": bias } = tensors;
      return spanLoss(linear(states, weight as tf.Tensor2D, { bias: bias as tf.Tensor1D }), spans!, open!);
    },
    batches: readingBatches({ ...options, titled, tokenizer }),
    config: { titledReader: titled > 0 },
    weights(trained) {
      const { "span.weight": weight, "span.bias": bias, ...rest } = trained as Record<string, HostTensors[string]>;
      return {
        ...bertLayerWeights(rest as typeof weights, { prefix: "reader" }),
        "reader.span.weight": { shape: [2, width], data: transposed(weight!.data as Float32Array, width, 2) },
        "reader.span.bias": { shape: [2], data: bias!.data as Float32Array },
      };
    },
  };
}

/** @param matrix [rows, columns] @returns [columns, rows] */
function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  return Float32Array.from(matrix, (_, i) => matrix[(i % rows) * columns + Math.floor(i / rows)]!);
}
