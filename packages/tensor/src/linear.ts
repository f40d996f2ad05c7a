import { dims } from "./dims.ts";
import { tf } from "./tf.ts";

/** A low-rank update of a weight [I, O]: `scale · a·b`. */
export type Lora = {
  /** [I, R] */
  a: tf.Tensor2D;
  /** [R, O] */
  b: tf.Tensor2D;
  /** alpha / R */
  scale: number;
};

export interface LinearOptions {
  /** [O], added to every row. */
  readonly bias?: tf.Tensor1D | undefined;
  /** Added to `weight`, without ever being merged into it. */
  readonly lora?: Lora | undefined;
}

/**
 * Applies `x·weight`, plus a LoRA update and a bias when they are given.
 *
 * @param x [B, T, I]
 * @param weight [I, O]
 * @returns [B, T, O]
 * @throws ClaraError "shape" when the inner dimensions disagree.
 * @see Hu et al. 2021, "LoRA", eq. 3. https://arxiv.org/abs/2106.09685
 */
export function linear(x: tf.Tensor3D, weight: tf.Tensor2D, { bias, lora }: LinearOptions = {}): tf.Tensor3D {
  const { B, T, I } = dims("linear: x", x, ["B", "T", "I"]);
  const { O } = dims("linear: weight", weight, [I, "O"]);
  if (bias) dims("linear: bias", bias, [O]);
  if (lora) {
    const { R } = dims("linear: lora.a", lora.a, [I, "R"]);
    dims("linear: lora.b", lora.b, [R, O]);
  }
  return tf.tidy(() => {
    // TensorFlow.js runs a rank-3 by rank-2 matMul but cannot differentiate it: flatten first.
    const flat: tf.Tensor2D = tf.reshape(x, [B * T, I]); // [B*T, I]
    let y: tf.Tensor = tf.matMul(flat, weight); // [B*T, O]
    if (lora) {
      const update = tf.matMul(tf.matMul(flat, lora.a), lora.b); // [B*T, O]
      y = tf.add(y, tf.mul(update, lora.scale));
    }
    if (bias) y = tf.add(y, bias);
    return tf.reshape(y, [B, T, O]);
  });
}
