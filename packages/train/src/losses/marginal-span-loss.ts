import { dims, tf } from "@clara/tensor";

/** Far below any logit, and finite. */
const closed = -1e9;

/**
 * Sum over questions of -log Σ_w p(w | question) · p(span | w, question), in nats: which of the windows that hold the span is
 * read does not matter, as long as the span is found there. Trains the choice of windows and the reader together.
 *
 * @param windowLogits [B, M] p(w | question) is their softmax over the windows that are there
 * @param spanLogProbabilities [B, M] log p(span | w, question), 0 at most; -1e9 where the window does not hold the span: it must
 *   be higher in at least one open window of each row
 * @param open [B, M] 1 for windows that are there, 0 for padding
 * @returns []
 * @throws ClaraError "shape" when B or M disagree.
 * @see Guu et al. 2020, "REALM", eq. 1. https://arxiv.org/abs/2002.08909
 */
export function marginalSpanLoss(
  windowLogits: tf.Tensor2D,
  spanLogProbabilities: tf.Tensor2D,
  open: tf.Tensor2D,
): tf.Scalar {
  const { B, M } = dims("marginalSpanLoss: windowLogits", windowLogits, ["B", "M"]);
  dims("marginalSpanLoss: spanLogProbabilities", spanLogProbabilities, [B, M]);
  dims("marginalSpanLoss: open", open, [B, M]);
  return tf.tidy(() => {
    const shut: tf.Tensor = tf.mul(tf.sub(1, tf.cast(open, "float32")), closed); // [B, M]
    const windows = tf.add(windowLogits, shut); // [B, M]
    const found = tf.logSumExp(tf.add(windows, spanLogProbabilities), 1); // [B]
    return tf.sum(tf.sub(tf.logSumExp(windows, 1), found)) as tf.Scalar;
  });
}
