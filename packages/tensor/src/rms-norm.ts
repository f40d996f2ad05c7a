import { ClaraError } from "@clara/core";
import { dims } from "./dims.ts";
import { fused, withGradient } from "./fused.ts";
import { tf } from "./tf.ts";

/**
 * Scales the last dimension to a mean square of 1, then by `gamma`. Unlike `layerNorm` it subtracts no mean.
 *
 * @param x [..., D], rank 1 or more
 * @param gamma [D]
 * @param eps added to the mean square, above 0: Llama and Mistral 1e-5 or 1e-6. Part of the trained model, so no default.
 * @returns as `x`
 * @throws ClaraError "shape" when D differs, "option" when `eps` is not above 0 (a row of zeros would give NaN).
 * @see Zhang and Sennrich 2019, "Root Mean Square Layer Normalization", eq. 4. https://arxiv.org/abs/1910.07467
 */
export function rmsNorm<T extends tf.Tensor>(x: T, gamma: tf.Tensor1D, eps: number): T {
  const { D } = dims("rmsNorm: gamma", gamma, ["D"]);
  dims("rmsNorm: last dimension of x", { shape: x.shape.slice(-1) }, [D]);
  if (!(eps > 0)) throw new ClaraError("option", `rmsNorm: eps must be above 0, got ${eps}`);
  return tf.tidy(() => {
    const rows: tf.Tensor = tf.reshape(x, [-1, D]); // [R, D]
    const forward = () => {
      const [y, inverse] = fused("ClaraRmsNorm", { x: rows, gamma }, { epsilon: eps }, composedRmsNorm);
      return { value: y, saved: [rows, gamma, inverse] };
    };
    return tf.reshape(withGradient([rows, gamma], forward, gradient), x.shape) as T;
  });
}

/** "ClaraRmsNorm": [y as `x`, 1 / root mean square of each row: as `x` with a last dimension of 1]. */
export function composedRmsNorm(
  { x, gamma }: { x: tf.Tensor; gamma: tf.Tensor },
  { epsilon }: { epsilon: number },
): [tf.Tensor, tf.Tensor] {
  const inverse: tf.Tensor = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon)); // [..., 1]
  return [tf.mul(tf.mul(x, inverse), gamma), inverse];
}

/** With r = 1 / root mean square and g = dy·gamma: dx = r·(g - x·r²·mean(g·x)). Five passes over [R, D]. */
function gradient(dy: tf.Tensor, [x, gamma, inverse]: tf.Tensor[]): tf.Tensor[] {
  const D = gamma!.size;
  const average: tf.Tensor = tf.reshape(tf.div(gamma!, D), [D, 1]); // times it: the mean over gamma times a row
  const product = tf.mul(dy, x!); // [R, D]
  const slope = tf.mul(tf.square(inverse!), tf.matMul(product, average)); // [R, 1]
  const dx = tf.mul(inverse!, tf.sub(tf.mul(dy, gamma!), tf.mul(x!, slope))); // [R, D]
  return [dx, tf.reshape(tf.matMul(inverse!, product, true), [D])];
}
