import { tf } from "@clara/tensor";

/** Rows at length 1; a row of zeros stays one, with a gradient that is finite. @param x [N, D] @returns [N, D] */
export function unitRows(x: tf.Tensor2D): tf.Tensor2D {
  const square = tf.sum(tf.square(x), 1, true); // [N, 1]
  return tf.div(x, tf.sqrt(tf.add(square, 1e-12))) as tf.Tensor2D;
}
