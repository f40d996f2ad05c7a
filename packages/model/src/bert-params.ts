import type { Weights } from "@clara/core";
import { tf } from "@clara/tensor";
import { bertEmbeddingArrays, bertLayerArrays } from "./bert-arrays.ts";

// Letters: V vocabulary, P positions, D width, F feed-forward width.

/** weight [I, O] and bias [O] of `x·weight + bias`. */
export type Linear = { weight: tf.Tensor2D; bias: tf.Tensor1D };
/** gamma and beta [D] */
export type Norm = { gamma: tf.Tensor1D; beta: tf.Tensor1D };

export type BertEmbeddings = {
  /** [V, D] */
  words: tf.Tensor2D;
  /** [P, D] */
  positions: tf.Tensor2D;
  /** [2, D] */
  types: tf.Tensor2D;
  norm: Norm;
};

export type BertLayer = {
  /** All [D, D]. */
  attention: { query: Linear; key: Linear; value: Linear; output: Linear; norm: Norm };
  /** in [D, F], out [F, D] */
  feedForward: { in: Linear; out: Linear; norm: Norm };
};

export type BertParams = { embeddings: BertEmbeddings; layers: BertLayer[] };

export interface BertParamsOptions {
  /** Number of layers. */
  readonly layers: number;
  /** Layer i is read from `<prefix>.layer.<i>.…`. @default "encoder" */
  readonly prefix?: string;
  /** Used instead of the checkpoint's: how two stacks share one table. Disposing both is safe. */
  readonly embeddings?: BertEmbeddings;
}

/**
 * Takes a BERT encoder from a checkpoint with Hugging Face's names; the pooler and heads are left out. Linear weights are
 * stored [O, I] there and are turned to [I, O]. The tables share memory with `weights`.
 *
 * @returns tensors that the caller disposes, with `tf.dispose(params)`
 * @throws ClaraError "weights" when a tensor is missing or has another shape than the others ask for.
 */
export function bertParams(
  weights: Weights,
  { layers, prefix = "encoder", embeddings: shared }: BertParamsOptions,
): BertParams {
  const tables = shared ? {} : bertEmbeddingArrays(weights, "bertParams");
  const width = shared?.words.shape[1] ?? tables["embeddings.words"]!.shape[1]!;
  const arrays = { ...tables, ...bertLayerArrays(weights, { layers, prefix, width }, "bertParams") };
  return tf.tidy(() => {
    const tensors = Object.entries(arrays).map(([path, { shape, data }]) => [path, tf.tensor(data, [...shape])]);
    const params = nestBert(Object.fromEntries(tensors));
    return shared ? { ...params, embeddings: shared } : params;
  });
}

/** Parameters by path (`layers.0.attention.query.weight`) as the nested object that `encodeBert` takes. */
export function nestBert(tensors: Readonly<Record<string, tf.Tensor>>): BertParams {
  type Tree = { [key: string]: Tree | tf.Tensor };
  const root = { layers: [] as unknown as Tree } as Tree;
  for (const [path, tensor] of Object.entries(tensors)) {
    const keys = path.split(".");
    const last = keys.pop()!;
    let at = root;
    // "layers" is there already, as a list: its keys are numbers.
    for (const key of keys) {
      at[key] ??= {};
      at = at[key] as Tree;
    }
    at[last] = tensor;
  }
  return root as unknown as BertParams;
}
