import { ClaraError } from "@clara/core";
import { dims, noGrad, stopGradient, tf } from "@clara/tensor";

/** What stands for the logit of a document that a slot may not take: far below any, and finite. */
const UNAVAILABLE = -1e9;

export interface SelectTopKOptions {
  /** What scores are divided by before the softmax, at least 1e-6. Smaller is closer to the hard choice. @default 0.02 */
  readonly temperature?: number;
  /** [B, N], 1 for a document, 0 for padding; any numeric type. All are documents by default. */
  readonly mask?: tf.Tensor2D | undefined;
}

export type Selection = {
  /** [B, k, N], row j is 1 at the document of rank j and 0 elsewhere. Carries the gradient to the scores. */
  weights: tf.Tensor3D;
  /** [B, k], int32, best first; -1 where no document is left. */
  indices: tf.Tensor2D;
};

/**
 * Selects the k documents with the highest scores, best first, so that a loss on them trains the scores.
 *
 * Forward it is the exact top-k. Backward it is k softmaxes in turn, each over the documents that the slots before have
 * not taken: every document that a slot could have taken gets a gradient (straight-through estimator).
 *
 * - Equal scores go in order of index.
 * - A masked document is never selected and gets no gradient, whatever its score. A row with fewer than k documents
 *   has weights of 0, index -1 and no gradient in the slots that are left over.
 * - Scores must be finite and above -1e9·temperature. Nothing is read back to check that, because reading stalls a GPU
 *   and ends a trace: a NaN score makes the weights of its row NaN, not quietly wrong.
 * - Unlike the reference, a taken document is really out: there, one that leads by more than 0.37 comes back in the
 *   gradient of later slots.
 *
 * @param scores [B, N]
 * @param k documents to select, 1 to N
 * @throws ClaraError "option" when k is not a whole number from 1 to N or the temperature is below 1e-6, "shape" for
 *   a mask of another shape.
 * @see He et al. 2025, "CLaRa", algorithm 1. https://arxiv.org/abs/2511.18659
 */
export function selectTopK(
  scores: tf.Tensor2D,
  k: number,
  { temperature = 0.02, mask }: SelectTopKOptions = {},
): Selection {
  const { B, N } = dims("selectTopK: scores", scores, ["B", "N"]);
  if (mask) dims("selectTopK: mask", mask, [B, N]);
  if (!Number.isInteger(k) || k < 1 || k > N) {
    throw new ClaraError(
      "option",
      `selectTopK: k must be a whole number from 1 to ${N} (the number of documents), got ${k}`,
    );
  }
  if (!(temperature >= 1e-6 && temperature < Number.POSITIVE_INFINITY)) {
    throw new ClaraError("option", `selectTopK: temperature must be at least 1e-6 and finite, got ${temperature}`);
  }
  return tf.tidy(() => {
    const logits = tf.div(scores, temperature); // [B, N]
    const { indices, hard, free } = noGrad(() => choose(logits, k, mask));
    const open = tf.where(free, tf.reshape(logits, [B, 1, N]), UNAVAILABLE); // [B, k, N]
    // Where nothing is free, all are constants: no gradient.
    const soft = tf.softmax(open); // [B, k, N]
    // The value is `hard`, the gradient is that of `soft`.
    const weights = tf.add(hard, tf.sub(soft, stopGradient(soft))) as tf.Tensor3D;
    return { weights, indices };
  });
}

/** The hard choice, and what was free to be chosen. Has no gradient: call it in `noGrad`. */
function choose(logits: tf.Tensor, k: number, mask: tf.Tensor2D | undefined) {
  const [B, N] = logits.shape as [number, number];
  const documents = mask ? tf.cast(tf.greater(mask, 0), "float32") : tf.ones([B, N]); // [B, N]
  const ranked = tf.topk(tf.where(tf.greater(documents, 0), logits, UNAVAILABLE), k).indices; // [B, k]
  // A row that runs out of documents ranks masked ones last: `hard` leaves them out. tf.oneHot refuses N = 1.
  const picked = tf.equal(tf.reshape(ranked, [B, k, 1]), tf.range(0, N, 1, "int32")); // [B, k, N]
  const hard = tf.mul(tf.cast(picked, "float32"), tf.reshape(documents, [B, 1, N])); // [B, k, N]
  const taken = tf.cumsum(hard, 1, true); // [B, k, N], by earlier slots
  const free = tf.greater(tf.sub(tf.reshape(documents, [B, 1, N]), taken), 0); // [B, k, N]
  const present = tf.greater(tf.sum(hard, 2), 0); // [B, k]
  const indices = tf.where(present, ranked, tf.scalar(-1, "int32")) as tf.Tensor2D; // [B, k]
  return { indices, hard, free };
}
