import { tf } from "./tf.ts";

/**
 * Runs `fn` outside the gradient tape: its results are constants to every gradient, even those that it only passes
 * on. Use it for operations without a gradient (`topk`, `greater`) and for masks. Frees what `fn` makes on the way,
 * like `tf.tidy`; results are new tensors and the caller's.
 *
 * A loss that reaches a variable only through `noGrad` makes TensorFlow.js throw "Cannot compute gradient";
 * where zeros are wanted instead, use `stopGradient`.
 */
export function noGrad<T extends tf.TensorContainer>(fn: () => T): T {
  // TensorFlow.js records nothing while a kernel runs: say that one does. The field belongs to its engine's state,
  // is public but undocumented, and holds for the pinned version.
  const { state } = tf.engine();
  state.kernelDepth++;
  try {
    return tf.tidy(() => copy(fn()) as T);
  } finally {
    state.kernelDepth--;
  }
}

/** The same value behind new tensors, which the tape does not know. */
function copy(value: tf.TensorContainer): tf.TensorContainer {
  if (value instanceof tf.Tensor) return tf.clone(value);
  if (Array.isArray(value)) return value.map(copy);
  if (value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, copy(part)]));
  }
  return value;
}

/**
 * The value of `x` with a gradient of zero.
 *
 * @param x any shape, float32
 * @returns as `x`
 */
export function stopGradient<T extends tf.Tensor>(x: T): T {
  const stopped = tf.customGrad((value) => ({
    value: tf.clone(value as tf.Tensor),
    gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy),
  }));
  return stopped(x) as T;
}
