import { dims, tf } from "@clara/tensor";

/**
 * How far the mean memory token of each text lies from the mean of the states that it stands for: squared differences, mean over
 * texts and width. Both sides are trained. Without a unit: final states are as large as the model's last norm makes them.
 *
 * The paper sums over the width, and the reference's code, which this is, takes the mean.
 *
 * @param memory [N, M, D]
 * @param states [N, S, D] final states of the columns before the memory tokens
 * @param mask [N, S] 1 for tokens (special ones too), 0 for padding
 * @returns []
 * @throws ClaraError "shape" when N, S or D disagree.
 * @see He et al. 2025, "CLaRa", eq. 2.1. https://arxiv.org/abs/2511.18659
 */
export function alignmentLoss(memory: tf.Tensor3D, states: tf.Tensor3D, mask: tf.Tensor2D): tf.Scalar {
  const { N, D } = dims("alignmentLoss: memory", memory, ["N", "M", "D"]);
  const { S } = dims("alignmentLoss: states", states, [N, "S", D]);
  dims("alignmentLoss: mask", mask, [N, S]);
  return tf.tidy(() => {
    const tokens = tf.reshape(tf.cast(mask, "float32"), [N, S, 1]);
    const count = tf.maximum(tf.sum(tokens, 1), 1); // [N, 1]
    const text = tf.div(tf.sum(tf.mul(states, tokens), 1), count); // [N, D]
    return tf.mean(tf.square(tf.sub(text, tf.mean(memory, 1)))) as tf.Scalar;
  });
}
