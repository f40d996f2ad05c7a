import { ClaraError } from "@clara/core";
import { crossEntropy, dims, tf } from "@clara/tensor";

/** The label of a token that is not to be predicted: padding, and all of the prompt. */
export const noLabel = -100;

/**
 * Mean over the labelled tokens of -log p(token | tokens before it), in nats; 0 when none is labelled. Logits of column t are
 * held against the label of column t + 1, as usual for a causal model.
 *
 * Every micro-batch weighs the same in the reference, however many tokens it has: average these means.
 *
 * @param logits [B, T, V], T at least 2
 * @param labels [B, T] int32: the ids themselves, -100 where there is no loss
 * @returns []
 * @throws ClaraError "shape" when B or T disagree.
 * @see He et al. 2025, "CLaRa". https://arxiv.org/abs/2511.18659
 */
export function languageModelLoss(logits: tf.Tensor3D, labels: tf.Tensor2D): tf.Scalar {
  const { B, T, V } = dims("languageModelLoss: logits", logits, ["B", "T", "V"]);
  dims("languageModelLoss: labels", labels, [B, T]);
  if (T < 2) throw new ClaraError("shape", `languageModelLoss: there is no next token in ${T} columns`);
  return tf.tidy(() => {
    const next = tf.reshape(tf.slice(labels, [0, 1], [B, T - 1]), [B * (T - 1)]); // [B*(T-1)]
    const rows = tf.reshape(tf.slice(logits, [0, 0, 0], [B, T - 1, V]), [B * (T - 1), V]) as tf.Tensor2D;
    const mask = tf.notEqual(next, noLabel) as tf.Tensor1D;
    const targets: tf.Tensor1D = tf.cast(tf.maximum(next, 0), "int32"); // any id will do where there is no label
    return crossEntropy(rows, targets, { mask });
  });
}

/**
 * The rows that `languageModelLoss` reads, so that logits of no others need be computed: with V at 32,000 those of a whole
 * prompt would cost more than its states.
 *
 * @param labels B·T of them, row-major, -100 where there is no loss
 * @param T columns
 * @returns rows: indices into [B·T] states; targets: the id after each. Equally many; mean cross-entropy over them is
 *   the language model loss.
 */
export function labelledRows(labels: Int32Array, T: number): { rows: Int32Array; targets: Int32Array } {
  const at: number[] = [];
  labels.forEach((label, i) => {
    // A label in the first column has nothing before it that could predict it.
    if (label !== noLabel && i % T !== 0) at.push(i);
  });
  return { rows: Int32Array.from(at, (i) => i - 1), targets: Int32Array.from(at, (i) => labels[i]!) };
}
