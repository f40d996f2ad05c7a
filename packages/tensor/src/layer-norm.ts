import { ClaraError } from "@clara/core";
import { dims } from "./dims.ts";
import { fused, withGradient } from "./fused.ts";
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
    const rows: tf.Tensor = tf.reshape(x, [-1, D]); // [R, D]
    const forward = () => {
      const inputs = { x: rows, gamma, beta };
      const [y, mean, inverse] = fused("ClaraLayerNorm", inputs, { epsilon: eps }, composedLayerNorm);
      return { value: y, saved: [rows, gamma, mean, inverse] };
    };
    return tf.reshape(withGradient([rows, gamma, beta], forward, gradient), x.shape) as T;
  });
}

type Inputs = { x: tf.Tensor; gamma: tf.Tensor; beta: tf.Tensor };

/** "ClaraLayerNorm": [y as `x`, mean and 1 / deviation of each row: as `x` with a last dimension of 1]. */
export function composedLayerNorm(
  { x, gamma, beta }: Inputs,
  { epsilon }: { epsilon: number },
): [tf.Tensor, tf.Tensor, tf.Tensor] {
  const mean = tf.mean(x, -1, true); // [..., 1]
  const centred = tf.sub(x, mean); // [..., D]
  const inverse: tf.Tensor = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon)); // [..., 1]
  return [tf.add(tf.mul(tf.mul(centred, inverse), gamma), beta), mean, inverse];
}

/**
 * With c = x - mean, r = 1 / deviation and g = dy·gamma: dx = r·(g - mean(g) - c·r²·mean(g·c)).
 * Seven passes over [R, D]; means and sums of products with a vector are matrix products, which need none.
 */
function gradient(dy: tf.Tensor, [x, gamma, mean, inverse]: tf.Tensor[]): tf.Tensor[] {
  const D = gamma!.size;
  const average: tf.Tensor = tf.reshape(tf.div(gamma!, D), [D, 1]); // times it: the mean over gamma times a row
  const centred = tf.sub(x!, mean!); // [R, D]
  const product = tf.mul(dy, centred); // [R, D]
  const slope = tf.mul(tf.square(inverse!), tf.matMul(product, average)); // [R, 1]
  const bent = tf.sub(tf.mul(dy, gamma!), tf.mul(centred, slope)); // [R, D]
  const dx = tf.mul(inverse!, tf.sub(bent, tf.matMul(dy, average))); // [R, D]
  return [dx, tf.reshape(tf.matMul(inverse!, product, true), [D]), tf.sum(dy, 0)];
}
