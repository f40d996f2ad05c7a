import { dims, tf } from "@clara/tensor";

/** Far below any logit, and finite. */
const closed = -1e9;

/**
 * Sum over passages of -log p(window), in nats: the windows that hold the answer count together, and entry 0 stands for
 * no answer in any.
 *
 * @param logits [B, 1 + M]
 * @param holds [B, 1 + M] 1 for what is right: at least one in each row
 * @param open [B, 1 + M] 1 for what is there, 0 for padding
 * @returns []
 * @throws ClaraError "shape" when B or M disagree.
 */
export function windowLoss(logits: tf.Tensor2D, holds: tf.Tensor2D, open: tf.Tensor2D): tf.Scalar {
  const { B, M } = dims("windowLoss: logits", logits, ["B", "M"]);
  dims("windowLoss: holds", holds, [B, M]);
  dims("windowLoss: open", open, [B, M]);
  return tf.tidy(() => {
    const shut = tf.mul(tf.sub(1, open), closed);
    const wrong = tf.mul(tf.sub(1, holds), closed);
    const right = tf.logSumExp(tf.add(logits, wrong), 1); // [B]
    return tf.sum(tf.sub(tf.logSumExp(tf.add(logits, shut), 1), right)) as tf.Scalar;
  });
}
