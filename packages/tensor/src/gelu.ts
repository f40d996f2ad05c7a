import { fused, withGradient } from "./fused.ts";
import { tf } from "./tf.ts";

/**
 * `x · Φ(x)`, exactly (by the error function), not the tanh approximation: it is what BERT was trained with.
 *
 * @param x any shape
 * @returns as `x`
 * @see Hendrycks and Gimpel 2016, "Gaussian Error Linear Units", section 2. https://arxiv.org/abs/1606.08415
 */
export function gelu<T extends tf.Tensor>(x: T): T {
  return tf.tidy(() =>
    withGradient(
      [x],
      () => ({ value: fused("ClaraGelu", { x }, {}, composedGelu) as T, saved: [x] }),
      (dy, [x]) => [fused("ClaraGeluGrad", { x: x!, dy }, {}, composedGeluGrad)],
    ),
  );
}

/** "ClaraGelu": x·Φ(x), as `x`. */
export function composedGelu({ x }: { x: tf.Tensor }): tf.Tensor {
  const twicePhi = tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1); // Φ is the normal distribution function
  return tf.mul(tf.mul(x, 0.5), twicePhi);
}

/**
 * "ClaraGeluGrad": dy·(Φ(x) + x·φ(x)), as `x`.
 *
 * With u = x/√2 that is dy/2·(1 + erf(u) + u·exp(ln(2/√π) - u²)): the constant goes into the exponent, where it turns the
 * negation into a subtraction and costs nothing. Ten passes.
 */
export function composedGeluGrad({ x, dy }: { x: tf.Tensor; dy: tf.Tensor }): tf.Tensor {
  const u = tf.mul(x, Math.SQRT1_2);
  const bell = tf.exp(tf.sub(Math.log(2 / Math.sqrt(Math.PI)), tf.square(u)));
  const twice = tf.add(tf.add(tf.erf(u), tf.mul(u, bell)), 1);
  return tf.mul(tf.mul(dy, 0.5), twice);
}
