import type { Weights } from "@clara/core";
import { memoryReaderArrays, nestMemoryReader, pointerLogits, readMemories, windowLogits } from "@clara/generator";
import { bertEmbeddingArrays, bertLayerArrays, bertLayerWeights, encodeBert, nestBert } from "@clara/model";
import { tf } from "@clara/tensor";
import { spanLoss } from "../losses/span-loss.ts";
import { windowLoss } from "../losses/window-loss.ts";
import { random } from "../random.ts";
import type { RecipeContext, Task, TrainableModel } from "../recipe.ts";
import { type MemoryBatchesOptions, memoryBatches } from "./memory-batches.ts";
import { passageStore } from "./passage-states.ts";
import { shapeOf } from "./shape.ts";

export interface MemoryTaskOptions extends Omit<MemoryBatchesOptions, "tokenizer" | "store"> {
  /** Layers of the reader of memories, where the model has none yet: it starts from the uppermost of the text reader. @default 4 */
  readonly memoryLayers?: number;
  /** Width of what words and states are compared in. @default 192 */
  readonly pointerWidth?: number;
  /** Weight of the span loss beside that of windows. @default 0.5 */
  readonly spanWeight?: number;
}

/** Trains a reader of memories (`memory.…`) at several rates; passages and questions are encoded by a compressor that stays as it is. */
export async function memoryTask(
  { engine, model }: Pick<RecipeContext, "engine" | "model">,
  { memoryLayers = 4, pointerWidth = 192, spanWeight = 0.5, ...options }: MemoryTaskOptions,
): Promise<Task> {
  const { weights, tokenizer } = model;
  const { heads, layers, width, layerNormEps } = shapeOf(model);
  const known = Object.keys(weights).filter((name) => name.startsWith("memory.layer.") && name.endsWith("dense.bias"));
  const depth = known.length > 0 ? known.length / 3 : memoryLayers;
  const start =
    known.length > 0 ? weights : { ...weights, ...newMemoryReader(model, { depth, pointerWidth, seed: options.seed }) };
  const compressor = bertLayerArrays(weights, { layers, width, prefix: "compressor" }, "memoryTask");
  const store = await passageStore(engine, model, { seed: options.seed });
  const params = [
    await engine.params(bertEmbeddingArrays(weights, "memoryTask")),
    await engine.params(
      Object.fromEntries(Object.entries(compressor).map(([name, array]) => [`compressor.${name}`, array])),
    ),
    await engine.params(memoryReaderArrays(start, { layers: depth, width }), { trainable: true }),
  ];
  const d = store.width;
  const int = (...shape: (string | number)[]) => ({ shape, dtype: "int32" }) as const;
  const float = (...shape: (string | number)[]) => ({ shape, dtype: "float32" }) as const;
  return {
    params,
    specs: {
      question: int("B", "U"),
      questionMask: int("B", "U"),
      memory: float("B", "M", d),
      memoryMask: int("B", "M"),
      overlap: float("B", "M"),
      near: int("B", "T", 5),
      match: float("B", "T", 5),
      window: int("B", "T"),
      open: int("B", "T"),
      spans: int("B", 2),
      holds: float("B", "M"),
    },
    // Layers have learnt before; what is beside them has not.
    rate: (name) => (name.startsWith("layers.") ? 0.4 : 1),
    loss(inputs, tensors) {
      const given = inputs as Record<string, tf.Tensor2D>;
      const { question, questionMask, memoryMask, overlap, window, open, spans, holds } = given as Required<
        typeof given
      >;
      const memory = inputs.memory as tf.Tensor3D;
      const [near, match] = [inputs.near as tf.Tensor3D, inputs.match as tf.Tensor3D];
      const B = memory.shape[0];
      const side = (prefix: string) =>
        Object.fromEntries(
          Object.entries(tensors).flatMap(([name, tensor]) =>
            name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [],
          ),
        );
      const embeddings = Object.fromEntries(Object.entries(tensors).filter(([name]) => name.startsWith("embeddings.")));
      const bert = nestBert({ ...embeddings, ...side("compressor.") });
      const batch = { ids: question!, types: tf.zerosLike(question!), mask: questionMask! };
      const asked = encodeBert(bert, batch, { heads, layerNormEps });
      const own = Object.fromEntries(
        Object.entries(tensors).filter(([name]) => !/^(?:compressor|embeddings)\./.test(name)),
      );
      const reader = nestMemoryReader(own);
      const read = readMemories(
        reader,
        { question: asked, questionMask: questionMask!, memory, memoryMask: memoryMask!, overlap: overlap! },
        { heads, layerNormEps },
      );
      // Entry 0 of a row is for what is not there.
      const first = tf.ones([B, 1]);
      const none = tf.sub(1, tf.max(holds!, 1, true));
      const windows = windowLoss(
        windowLogits(reader, read),
        tf.concat([none, holds!], 1) as tf.Tensor2D,
        tf.concat([first, tf.cast(memoryMask!, "float32")], 1) as tf.Tensor2D,
      );
      const words = tensors["embeddings.words"] as tf.Tensor2D;
      const pointed = spanLoss(
        pointerLogits(reader, words, read, { near, match, window: window! }),
        spans!,
        tf.concat([first, tf.cast(open!, "float32")], 1) as tf.Tensor2D,
      );
      return { loss: tf.add(windows, tf.mul(pointed, spanWeight)) as tf.Scalar, windows, spans: pointed };
    },
    batches: memoryBatches({ ...options, tokenizer, store }),
    weights(trained) {
      const arrays = trained as Weights;
      const beside = Object.entries(arrays).filter(([name]) => !name.startsWith("layers."));
      return {
        ...bertLayerWeights(arrays, { prefix: "memory" }),
        ...Object.fromEntries(beside.map(([name, array]) => [`memory.${name}`, array])),
      };
    },
  };
}

/** A reader of memories that has learnt nothing but how to read: its layers are the uppermost of the text reader. */
function newMemoryReader(
  model: TrainableModel,
  { depth, pointerWidth: F, seed }: { depth: number; pointerWidth: number; seed: number },
): Weights {
  const { weights } = model;
  const { layers, width: D } = shapeOf(model);
  const down = weights["compressor.bottleneck.weight"]!; // [D, d]
  const d = down.shape[1]!;
  const rng = random(seed, depth, F);
  const drawn = (rows: number, columns: number, scale: number): Weights[string] => ({
    shape: [rows, columns],
    // Three uniform numbers: near enough to a normal one.
    data: Float32Array.from({ length: rows * columns }, () => (rng.next() + rng.next() + rng.next() - 1.5) * 2 * scale),
  });
  const zeros = (...shape: number[]): Weights[string] => ({
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  });
  const copied = Object.entries(weights).flatMap(([name, tensor]) => {
    const [, layer, rest] = /^reader\.layer\.(\d+)\.(.+)$/.exec(name) ?? [];
    const at = Number(layer) - (layers - depth);
    return rest !== undefined && at >= 0 ? [[`memory.layer.${at}.${rest}`, tensor] as const] : [];
  });
  return {
    ...Object.fromEntries(copied),
    // The bottleneck began with orthonormal columns: its transpose leads back.
    "memory.up.weight": {
      shape: [d, D],
      data: Float32Array.from({ length: d * D }, (_, i) => down.data[(i % D) * d + Math.floor(i / D)]!),
    },
    "memory.up.bias": zeros(D),
    "memory.positions": zeros(128, D),
    "memory.overlap": zeros(1, D),
    "memory.norm.gamma": { shape: [D], data: new Float32Array(D).fill(1) },
    "memory.norm.beta": zeros(D),
    "memory.window.weight": drawn(D, 1, 0.02),
    "memory.window.bias": zeros(1),
    "memory.pointer.wanted.weight": drawn(D, 2 * F + 2, 0.03),
    "memory.pointer.wanted.bias": zeros(2 * F + 2),
    "memory.pointer.words.weight": drawn(5 * D, F, 0.3),
    "memory.pointer.words.bias": zeros(F),
    "memory.pointer.match": drawn(5, F, 0.1),
    "memory.pointer.none.weight": drawn(D, 2, 0.02),
    "memory.pointer.none.bias": zeros(2),
  };
}
