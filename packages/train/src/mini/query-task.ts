import type { Weights } from "@clara/core";
import type { HostTensors } from "@clara/engine";
import { memoryReaderArrays, nestMemoryReader, readMemories, windowLogits } from "@clara/generator";
import { bertEmbeddingArrays, bertLayerArrays, encodeBert, nestBert } from "@clara/model";
import { type Lora, stopGradient, tf } from "@clara/tensor";
import { selectTopK } from "@clara/topk";
import { candidateLoss, candidateScores } from "../losses/candidate-loss.ts";
import { windowLoss } from "../losses/window-loss.ts";
import { random } from "../random.ts";
import type { RecipeContext, Task } from "../recipe.ts";
import { passageStore } from "./passage-states.ts";
import { type QueryBatchesOptions, queryBatches } from "./query-batches.ts";
import { shapeOf } from "./shape.ts";

export interface QueryTaskOptions extends Omit<QueryBatchesOptions, "tokenizer" | "store"> {
  /** Rank of the updates, where the model has none yet. @default 8 */
  readonly rank?: number;
  /** Passages that the reader of memories is given; all their windows must fit into its 128 places. @default 2 */
  readonly topK?: number;
  /** Weight of the reader's loss, which reaches the question through the selection. @default 0.5 */
  readonly answerWeight?: number;
}

/** The linear maps of a layer, with their widths as multiples of D. */
const maps: readonly (readonly [path: string, inputs: "D" | "F", outputs: "D" | "F"])[] = [
  ["attention.query", "D", "D"],
  ["attention.key", "D", "D"],
  ["attention.value", "D", "D"],
  ["attention.output", "D", "D"],
  ["feedForward.in", "D", "F"],
  ["feedForward.out", "F", "D"],
];

/**
 * Trains a query reasoner (`query.…`, LoRA on the compressor for questions alone) end to end. Passages stay
 * compressed as they are, so packs stay valid. The loss is that of finding passage and window by their cosines, and that
 * of reading: the best passages are selected by a top-k that lets the reader's loss reach the question.
 *
 * @see He et al. 2025, "CLaRa", section 3. https://arxiv.org/abs/2511.18659
 */
export async function queryTask(
  { engine, model }: Pick<RecipeContext, "engine" | "model">,
  { rank = 8, topK = 2, answerWeight = 0.5, ...options }: QueryTaskOptions,
): Promise<Task> {
  const { weights, tokenizer } = model;
  const { heads, layers, width, feedForward, layerNormEps } = shapeOf(model);
  const store = await passageStore(engine, model, { seed: options.seed });
  const d = store.width;
  const A = options.answers ?? options.batchSize;
  const depth = Object.keys(weights).filter((name) => /^memory\.layer\.\d+\.output\.dense\.bias$/.test(name)).length;
  const named = (prefix: string, arrays: Weights): HostTensors =>
    Object.fromEntries(Object.entries(arrays).map(([name, array]) => [prefix + name, array]));
  const known = Object.entries(weights).flatMap(([name, array]) =>
    name.startsWith("query.") ? [[name.replace("query.", "lora."), array] as const] : [],
  );
  const fresh = (): HostTensors => {
    const rng = random(options.seed, rank);
    const size = { D: width, F: feedForward };
    return Object.fromEntries(
      Array.from({ length: layers }, (_, i) => i).flatMap((i) =>
        maps.flatMap(([path, inputs, outputs]): [string, HostTensors[string]][] => {
          const [I, O] = [size[inputs], size[outputs]];
          // Kaiming's uniform with a = √5, and zeros: nothing is changed at first.
          const a = Float32Array.from({ length: I * rank }, () => (2 * rng.next() - 1) / Math.sqrt(I));
          return [
            [`lora.layers.${i}.${path}.a`, { shape: [I, rank], data: a }],
            [`lora.layers.${i}.${path}.b`, { shape: [rank, O], data: new Float32Array(rank * O) }],
          ];
        }),
      ),
    );
  };
  const params = [
    await engine.params(bertEmbeddingArrays(weights, "queryTask")),
    await engine.params({
      ...named("compressor.", bertLayerArrays(weights, { layers, width, prefix: "compressor" }, "queryTask")),
      down: weights["compressor.bottleneck.weight"]!,
      ...named("memory.", memoryReaderArrays(weights, { layers: depth, width })),
    }),
    await engine.params(known.length > 0 ? Object.fromEntries(known) : fresh(), { trainable: true }),
  ];
  const int = (...shape: (string | number)[]) => ({ shape, dtype: "int32" }) as const;
  const float = (...shape: (string | number)[]) => ({ shape, dtype: "float32" }) as const;
  return {
    params,
    specs: {
      question: int("B", "U"),
      questionMask: int("B", "U"),
      memories: float("P", "M", d),
      tokens: float("P", "M"),
      own: float("B", "P"),
      holds: float("B", "M"),
      overlap: float(A, "P", "M"),
    },
    leastSizes: { B: A, P: topK },
    loss(inputs, tensors) {
      const [question, questionMask] = [inputs.question as tf.Tensor2D, inputs.questionMask as tf.Tensor2D];
      const [own, holds, tokens] = [inputs.own, inputs.holds, inputs.tokens] as tf.Tensor2D[];
      const [memories, overlap] = [inputs.memories, inputs.overlap] as tf.Tensor3D[];
      const [B, U] = question.shape;
      const [P, M] = tokens!.shape;
      const side = (prefix: string) =>
        Object.fromEntries(
          Object.entries(tensors).flatMap(([name, tensor]) =>
            name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [],
          ),
        );
      const embeddings = Object.fromEntries(Object.entries(tensors).filter(([name]) => name.startsWith("embeddings.")));
      const bert = nestBert({ ...embeddings, ...side("compressor.") });
      const batch = { ids: question, types: tf.zerosLike(question), mask: questionMask };
      const asked = encodeBert(bert, batch, { heads, layerNormEps, lora: loraOf(side("lora.")) }); // [B, U, D]
      const kept = tf.reshape(tf.cast(questionMask, "float32"), [B, U, 1]);
      const query = tf.matMul(tf.sum(tf.mul(asked, kept), 1) as tf.Tensor2D, tensors.down as tf.Tensor2D); // [B, d]
      const scores = candidateScores(query as tf.Tensor2D, memories!, tokens!);
      const search = candidateLoss(scores, { own: own!, holds: holds! });

      const first = <T extends tf.Tensor>(all: T) => tf.slice(all, 0, A) as T;
      const { weights: chosen } = selectTopK(first(scores.passages), topK); // [A, k, P]
      const taken = stopGradient(chosen) as tf.Tensor3D;
      const flat = tf.reshape(memories!, [P, M * d]);
      const there = tf.reshape(tf.matMul(tf.reshape(taken, [A * topK, P]), tf.minimum(tokens!, 1)), [A, topK * M]);
      // [A, k, 1], whether it is the one that answers, times [A, 1, M]
      const right = tf.matMul(taken, tf.reshape(first(own!), [A, P, 1]));
      const held = tf.reshape(tf.mul(right, tf.reshape(first(holds!), [A, 1, M])), [A, topK * M]) as tf.Tensor2D;
      const reader = nestMemoryReader(side("memory."));
      const read = readMemories(
        reader,
        {
          question: first(asked),
          questionMask: first(questionMask),
          memory: tf.reshape(tf.matMul(tf.reshape(chosen, [A * topK, P]), flat), [A, topK * M, d]) as tf.Tensor3D,
          memoryMask: there as tf.Tensor2D,
          overlap: tf.reshape(tf.matMul(taken, overlap!), [A, topK * M]) as tf.Tensor2D,
        },
        { heads, layerNormEps },
      );
      const unsure = windowLoss(
        windowLogits(reader, read),
        tf.concat([tf.sub(1, tf.max(held, 1, true)), held], 1) as tf.Tensor2D,
        tf.concat([tf.ones([A, 1]), there], 1) as tf.Tensor2D,
      );
      // As if all had been read: what a step divides by is its questions.
      const answer = tf.mul(unsure, options.batchSize / A) as tf.Scalar;
      return { loss: tf.add(search, tf.mul(answer, answerWeight)) as tf.Scalar, search, answer };
    },
    batches: queryBatches({ ...options, tokenizer, store }),
    weights: (trained) =>
      Object.fromEntries(
        Object.entries(trained as Weights).map(([name, array]) => [name.replace(/^lora\./, "query."), array]),
      ),
  };
}

function loraOf(tensors: Readonly<Record<string, tf.Tensor>>): Record<string, Lora> {
  const paths = Object.keys(tensors).flatMap((name) => /^(.+)\.a$/.exec(name)?.[1] ?? []);
  return Object.fromEntries(
    paths.map((path) => [
      path,
      { a: tensors[`${path}.a`] as tf.Tensor2D, b: tensors[`${path}.b`] as tf.Tensor2D, scale: 1 },
    ]),
  );
}
