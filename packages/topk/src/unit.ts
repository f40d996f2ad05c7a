import { tf } from "@clara/tensor";

/**
 * Scales vectors along the last dimension to length 1. A zero vector stays zero, and its gradient is finite: 1e-12
 * under the root, so lengths below about 1e-5 come out short. Private: relies on the caller's tidy.
 */
export function unit<T extends tf.Tensor>(x: T): T {
  const length = tf.sqrt(tf.add(tf.sum(tf.square(x), -1, true), 1e-12)); // [..., 1]
  return tf.div(x, length);
}
