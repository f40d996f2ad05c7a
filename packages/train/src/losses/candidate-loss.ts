import { dims, tf } from "@clara/tensor";
import { unitRows } from "./unit-rows.ts";

/** Below any score over any temperature, and finite. */
const closed = -1e9;

export interface CandidateScores {
  /** [B, P, M], far below -1 for padding. */
  readonly windows: tf.Tensor3D;
  /** [B, P]: the best of each passage. */
  readonly passages: tf.Tensor2D;
}

/**
 * Cosines of questions with the memory tokens of all candidates.
 *
 * @param query [B, D]
 * @param memories [P, M, D]
 * @param tokens [P, M] tokens behind each memory token, 0 for padding
 * @throws ClaraError "shape" when sizes disagree.
 */
export function candidateScores(query: tf.Tensor2D, memories: tf.Tensor3D, tokens: tf.Tensor2D): CandidateScores {
  const { P, M, D } = dims("candidateScores: memories", memories, ["P", "M", "D"]);
  const { B } = dims("candidateScores: query", query, ["B", D]);
  dims("candidateScores: tokens", tokens, [P, M]);
  return tf.tidy(() => {
    const keys = unitRows(tf.reshape(memories, [P * M, D]) as tf.Tensor2D);
    const cosines = tf.reshape(tf.matMul(unitRows(query), keys, false, true), [B, P, M]);
    const windows = tf.add(cosines, tf.mul(tf.sub(1, tf.minimum(tokens, 1)), closed)) as tf.Tensor3D;
    return { windows, passages: tf.max(windows, 2) as tf.Tensor2D };
  });
}

/**
 * Sum over questions of -log p(passage) - log p(window), in nats, each a softmax over cosines divided by a temperature: the first over the
 * candidates, which the question's own should win, the second over all their memory tokens, of which those that hold the
 * answer count together.
 *
 * @param scores of `candidateScores`
 * @param own [B, P] 1 for the passage that answers, 0 for the others
 * @param holds [B, M] 1 where a memory token of its own passage covers a part of the answer; at least one in each row
 * @returns []
 */
export function candidateLoss(
  { windows, passages }: CandidateScores,
  { own, holds }: { readonly own: tf.Tensor2D; readonly holds: tf.Tensor2D },
  { temperature = 0.05 }: { readonly temperature?: number } = {},
): tf.Scalar {
  const { B, P, M } = dims("candidateLoss: windows", windows, ["B", "P", "M"]);
  dims("candidateLoss: passages", passages, [B, P]);
  dims("candidateLoss: own", own, [B, P]);
  dims("candidateLoss: holds", holds, [B, M]);
  return tf.tidy(() => {
    const best = tf.div(passages, temperature);
    const mine = tf.sum(tf.mul(best, own), 1);
    const all = tf.div(windows, temperature);
    const within = tf.reshape(tf.matMul(tf.reshape(own, [B, 1, P]), all), [B, M]);
    const right = tf.logSumExp(tf.add(within, tf.mul(tf.sub(1, holds), closed)), 1);
    const ranked = tf.sub(tf.logSumExp(best, 1), mine); // [B]
    const found = tf.sub(tf.logSumExp(tf.reshape(all, [B, P * M]), 1), right); // [B]
    return tf.sum(tf.add(ranked, found)) as tf.Scalar;
  });
}
