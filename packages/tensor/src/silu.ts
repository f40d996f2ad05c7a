import { withGradient } from "./fused.ts";
import { tf } from "./tf.ts";

/**
 * `x · σ(x)`, also called swish. SwiGLU is `mul(silu(gate), up)`.
 *
 * @param x any shape
 * @returns as `x`
 * @see Elfwing et al. 2017, "Sigmoid-Weighted Linear Units", eq. 2. https://arxiv.org/abs/1702.03118
 */
export function silu<T extends tf.Tensor>(x: T): T {
  return tf.tidy(() =>
    withGradient(
      [x],
      () => {
        const y: T = tf.mul(x, tf.sigmoid(x));
        return { value: y, saved: [x, y] };
      },
      // σ + x·σ·(1 - σ) = σ·(1 + x - y): with y at hand, five passes. The gate of SwiGLU keeps y alive anyway.
      (dy, [x, y]) => [tf.mul(dy, tf.mul(tf.sigmoid(x!), tf.add(tf.sub(x!, y!), 1)))],
    ),
  );
}
