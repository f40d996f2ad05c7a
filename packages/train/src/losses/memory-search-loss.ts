import { dims, tf } from "@clara/tensor";
import { unitRows } from "./unit-rows.ts";

/** Below any score over any temperature, and finite. */
const closed = -1e9;

export interface MemorySearchLossOptions {
  /** What cosines are divided by. @default 0.05 */
  readonly temperature?: number;
  /** Weight of the loss of windows. @default 0.5 */
  readonly windowWeight?: number;
  /** Weight of the loss of mean keys. @default 0.3 */
  readonly keyWeight?: number;
}

/**
 * How badly questions find their own passage among those of a batch, in nats, summed over the questions. Three cross-entropies over
 * cosines divided by a temperature, question i belonging to passage i:
 *
 * - among the passages, by the best of their memory tokens: what ranks passages;
 * - among all memory tokens of the batch, those that hold the answer counting together: what chooses windows;
 * - among the passages, by the mean of their memory tokens: what finds candidates.
 *
 * @param query [N, D]
 * @param memories [N, M, D]
 * @param tokens [N, M] tokens behind each memory token, 0 for those that are padding
 * @param holds [N, M] 1 where a memory token covers a part of its question's answer; at least one in each row
 * @returns []
 * @throws ClaraError "shape" when N, M or D disagree.
 * @see van den Oord et al. 2018, "Representation Learning with Contrastive Predictive Coding". https://arxiv.org/abs/1807.03748
 */
export function memorySearchLoss(
  query: tf.Tensor2D,
  memories: tf.Tensor3D,
  tokens: tf.Tensor2D,
  holds: tf.Tensor2D,
  { temperature = 0.05, windowWeight = 0.5, keyWeight = 0.3 }: MemorySearchLossOptions = {},
): tf.Scalar {
  const { N, M, D } = dims("memorySearchLoss: memories", memories, ["N", "M", "D"]);
  dims("memorySearchLoss: query", query, [N, D]);
  dims("memorySearchLoss: tokens", tokens, [N, M]);
  dims("memorySearchLoss: holds", holds, [N, M]);
  return tf.tidy(() => {
    const asked = unitRows(query); // [N, D]
    const flat = unitRows(tf.reshape(memories, [N * M, D]) as tf.Tensor2D); // [N*M, D]
    const cosines = tf.div(tf.matMul(asked, flat, false, true), temperature); // [N, N*M]
    const absent = tf.mul(tf.sub(1, tf.minimum(tokens, 1)), closed); // [N, M]
    const open = tf.add(cosines, tf.reshape(absent, [1, N * M])) as tf.Tensor2D; // [N, N*M]

    const best = tf.max(tf.reshape(open, [N, N, M]), 2) as tf.Tensor2D; // [N, N]
    const passages = diagonalLoss(best, N);

    const own = tf.reshape(eye(N), [N, N, 1]);
    const right = tf.mul(own, tf.reshape(holds, [1, N, M])); // [N, N, M]
    const wrong = tf.reshape(tf.mul(tf.sub(1, right), closed), [N, N * M]);
    const windows = tf.sum(tf.sub(tf.logSumExp(open, 1), tf.logSumExp(tf.add(open, wrong), 1)));

    const weights = tf.reshape(tokens, [N, M, 1]);
    const keys = unitRows(tf.sum(tf.mul(memories, weights), 1) as tf.Tensor2D); // [N, D]
    const means = diagonalLoss(tf.div(tf.matMul(asked, keys, false, true), temperature) as tf.Tensor2D, N);

    return tf.add(passages, tf.add(tf.mul(windows, windowWeight), tf.mul(means, keyWeight))) as tf.Scalar;
  });
}

/** Sum of the cross-entropies of rows whose label is their own number. @param logits [N, N] */
function diagonalLoss(logits: tf.Tensor2D, N: number): tf.Tensor {
  const own = tf.sum(tf.mul(logits, eye(N)), 1); // [N]
  return tf.sum(tf.sub(tf.logSumExp(logits, 1), own));
}

/** Ones on the diagonal; not tf.eye, whose size must be known. */
function eye(N: number): tf.Tensor2D {
  const numbers = tf.range(0, N, 1, "int32");
  const same = tf.equal(tf.reshape(numbers, [N, 1]), tf.reshape(numbers, [1, N]));
  return tf.cast(same, "float32") as tf.Tensor2D;
}
