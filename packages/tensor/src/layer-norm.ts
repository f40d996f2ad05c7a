import { ClaraError } from "@clara/core";
import { dims } from "./dims.ts";
import { tf } from "./tf.ts";

/**
 * Normalises the last dimension to mean 0 and variance 1, then scales by `gamma` and shifts by `beta`.
 *
 * @param x [..., D], rank 1 or more
 * @param gamma [D]
 * @param beta [D]
 * @param eps added to the variance, above 0: BERT 1e-12, most others 1e-5. Part of the trained model, so no default.
 * @returns as `x`
 * @throws ClaraError "shape" when D differs, "option" when `eps` is not above 0 (a constant row would give NaN).
 * @see Ba et al. 2016, "Layer Normalization", eq. 4. https://arxiv.org/abs/1607.06450
 */
export function layerNorm<T extends tf.Tensor>(x: T, gamma: tf.Tensor1D, beta: tf.Tensor1D, eps: number): T {
  const { D } = dims("layerNorm: gamma", gamma, ["D"]);
  dims("layerNorm: beta", beta, [D]);
  dims("layerNorm: last dimension of x", { shape: x.shape.slice(-1) }, [D]);
  if (!(eps > 0)) throw new ClaraError("option", `layerNorm: eps must be above 0, got ${eps}`);
  return tf.tidy(() => {
    const centred = tf.sub(x, tf.mean(x, -1, true)); // [..., D]
    const variance = tf.mean(tf.square(centred), -1, true); // [..., 1]
    const normal = tf.mul(centred, tf.rsqrt(tf.add(variance, eps))); // [..., D]
    return tf.add(tf.mul(normal, gamma), beta) as T;
  });
}
