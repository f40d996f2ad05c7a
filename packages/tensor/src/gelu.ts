import { tf } from "./tf.ts";

/**
 * `x · Φ(x)`, exactly (by the error function), not the tanh approximation: it is what BERT was trained with.
 *
 * @param x any shape
 * @returns as `x`
 * @see Hendrycks and Gimpel 2016, "Gaussian Error Linear Units", section 2. https://arxiv.org/abs/1606.08415
 */
export function gelu<T extends tf.Tensor>(x: T): T {
  return tf.tidy(() => {
    const phi = tf.mul(0.5, tf.add(1, tf.erf(tf.mul(x, Math.SQRT1_2)))); // the normal distribution function
    return tf.mul(x, phi) as T;
  });
}
