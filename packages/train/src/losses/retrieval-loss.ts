import { ClaraError } from "@clara/core";
import { dims, tf } from "@clara/tensor";

/** Far below any logit, and finite. */
const closed = -1e9;

export interface RetrievalLossOptions {
  /** What scores are divided by, above 0. @default 0.02 */
  readonly temperature?: number;
  /** [B, N], 1 for a document, 0 for padding. All are documents by default. */
  readonly mask?: tf.Tensor2D | undefined;
}

/**
 * -log of the probability that softmax(scores / temperature) gives to the documents that answer, taken together; in nats,
 * mean over the questions that have such a document, 0 when none has.
 *
 * @param scores [B, N] cosine of each question with its documents
 * @param positives [B, N] 1 for a document that answers, 0 for others
 * @returns []
 * @throws ClaraError "shape" when B or N disagree, "option" for a temperature that is not above 0.
 * @see Khosla et al. 2020, "Supervised Contrastive Learning". https://arxiv.org/abs/2004.11362
 */
export function retrievalLoss(
  scores: tf.Tensor2D,
  positives: tf.Tensor2D,
  { temperature = 0.02, mask }: RetrievalLossOptions = {},
): tf.Scalar {
  const { B, N } = dims("retrievalLoss: scores", scores, ["B", "N"]);
  dims("retrievalLoss: positives", positives, [B, N]);
  if (mask) dims("retrievalLoss: mask", mask, [B, N]);
  if (!(temperature > 0 && temperature < Number.POSITIVE_INFINITY)) {
    throw new ClaraError("option", `retrievalLoss: temperature must be above 0 and finite, got ${temperature}`);
  }
  return tf.tidy(() => {
    const open = mask ? tf.cast(mask, "float32") : tf.ones([B, N]);
    const right: tf.Tensor = tf.mul(open, tf.cast(positives, "float32"));
    const logits = tf.div(scores, temperature); // [B, N]
    const logSum = (kept: tf.Tensor): tf.Tensor => tf.logSumExp(tf.add(logits, tf.mul(tf.sub(1, kept), closed)), 1);
    const counted = tf.minimum(tf.sum(right, 1), 1); // [B]
    const nats = tf.sub(logSum(open), logSum(right)); // [B], about 1e9 in rows that do not count
    return tf.div(tf.sum(tf.mul(nats, counted)), tf.maximum(tf.sum(counted), 1)) as tf.Scalar;
  });
}
