import { stopGradient, tf } from "@clara/tensor";

/** Half the distance of the four numbers that suit a normal distribution of deviation 1 best, if they are evenly apart. */
const halfStep = 0.9957 / 2;

/**
 * Memory tokens as 2 bits keep them: each number becomes -3, -1, 1 or 3 half steps of its row's size. The gradient passes
 * straight through, so that what is trained learns to be rounded.
 *
 * @param memories [N, D]
 * @returns [N, D]
 * @see Bengio et al. 2013, "Estimating or Propagating Gradients Through Stochastic Neurons". https://arxiv.org/abs/1308.3432
 * @see Max 1960, "Quantizing for Minimum Distortion", table II.
 */
export function roundedMemories(memories: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => {
    const size = tf.sqrt(tf.add(tf.mean(tf.square(memories), 1, true), 1e-12)); // [N, 1]
    const step = tf.mul(size, 2 * halfStep);
    const floor = tf.maximum(tf.minimum(tf.floor(tf.div(memories, step)), 1), -2);
    const rounded = tf.mul(tf.add(floor, 0.5), step);
    return tf.add(memories, stopGradient(tf.sub(rounded, memories))) as tf.Tensor2D;
  });
}
