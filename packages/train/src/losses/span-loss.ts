import { crossEntropy, dims, tf } from "@clara/tensor";

/** Far below any logit, and finite. */
const closed = -1e9;

/**
 * Sum over sequences of -log p(start) - log p(end), in nats. No answer is the span from 0 to 0: the CLS token.
 *
 * @param logits [B, T, 2] of start and end
 * @param spans [B, 2] int32: first and last token of the answer
 * @param open [B, T] 1 for the tokens that an answer may begin or end with (CLS among them), 0 for others
 * @returns []
 * @throws ClaraError "shape" when B or T disagree.
 */
export function spanLoss(logits: tf.Tensor3D, spans: tf.Tensor2D, open: tf.Tensor2D): tf.Scalar {
  const { B, T } = dims("spanLoss: logits", logits, ["B", "T", 2]);
  dims("spanLoss: spans", spans, [B, 2]);
  dims("spanLoss: open", open, [B, T]);
  return tf.tidy(() => {
    const shut: tf.Tensor = tf.mul(tf.sub(1, tf.cast(open, "float32")), closed); // [B, T]
    const rows = tf.transpose(logits, [0, 2, 1]); // [B, 2, T]
    const masked = tf.add(rows, tf.reshape(shut, [B, 1, T]));
    const mean = crossEntropy(tf.reshape(masked, [B * 2, T]) as tf.Tensor2D, tf.reshape(spans, [B * 2]) as tf.Tensor1D);
    return tf.mul(mean, B * 2) as tf.Scalar;
  });
}
