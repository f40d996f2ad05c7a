import { dims, tf } from "@clara/tensor";
import { unitRows } from "./unit-rows.ts";

/** Below any score over any temperature, and finite. */
const closed = -1e9;

/**
 * Cosines of questions with the memory tokens of their own candidates.
 *
 * @param query [B, D]
 * @param memories [B, N, M, D]
 * @param tokens [B, N, M] tokens behind each memory token, 0 for padding
 * @returns windows [B, N, M], far below -1 for padding; passages [B, N]: the best of each
 * @throws ClaraError "shape" when sizes disagree.
 */
export function candidateScores(
  query: tf.Tensor2D,
  memories: tf.Tensor4D,
  tokens: tf.Tensor3D,
): { windows: tf.Tensor3D; passages: tf.Tensor2D } {
  const { B, N, M, D } = dims("candidateScores: memories", memories, ["B", "N", "M", "D"]);
  dims("candidateScores: query", query, [B, D]);
  dims("candidateScores: tokens", tokens, [B, N, M]);
  return tf.tidy(() => {
    const asked = tf.reshape(unitRows(query), [B, D, 1]) as tf.Tensor3D;
    const flat = tf.reshape(unitRows(tf.reshape(memories, [B * N * M, D]) as tf.Tensor2D), [
      B,
      N * M,
      D,
    ]) as tf.Tensor3D;
    const cosines = tf.reshape(tf.matMul(flat, asked), [B, N, M]);
    const windows = tf.add(cosines, tf.mul(tf.sub(1, tf.minimum(tokens, 1)), closed)) as tf.Tensor3D;
    return { windows, passages: tf.max(windows, 2) as tf.Tensor2D };
  });
}

/**
 * Sum over questions of -log p(passage) - log p(window), in nats, each a softmax over cosines divided by a temperature: the first over the
 * candidates, which the first of them should win, the second over all their memory tokens, of which those that hold the
 * answer count together.
 *
 * @param scores of `candidateScores`; candidate 0 is the passage that answers
 * @param holds [B, N, M] 1 where a memory token covers a part of the answer; at least one in each row
 * @returns []
 */
export function candidateLoss(
  { windows, passages }: { windows: tf.Tensor3D; passages: tf.Tensor2D },
  holds: tf.Tensor3D,
  { temperature = 0.05 }: { readonly temperature?: number } = {},
): tf.Scalar {
  const { B, N, M } = dims("candidateLoss: windows", windows, ["B", "N", "M"]);
  dims("candidateLoss: passages", passages, [B, N]);
  dims("candidateLoss: holds", holds, [B, N, M]);
  return tf.tidy(() => {
    const best = tf.div(passages, temperature);
    const own = tf.reshape(tf.slice(best, [0, 0], [B, 1]), [B]);
    const all = tf.reshape(tf.div(windows, temperature), [B, N * M]);
    const wrong = tf.mul(tf.sub(1, tf.reshape(holds, [B, N * M])), closed);
    const right = tf.logSumExp(tf.add(all, wrong), 1);
    const ranked = tf.sub(tf.logSumExp(best, 1), own); // [B]
    const found = tf.sub(tf.logSumExp(all, 1), right); // [B]
    return tf.sum(tf.add(ranked, found)) as tf.Scalar;
  });
}
