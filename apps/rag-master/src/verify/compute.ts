import { tf } from "@clara/tensor";

/** A tensor's numbers outside of TensorFlow.js. */
export interface Computed {
  readonly data: Float32Array | Int32Array | Uint8Array;
  readonly shape: readonly number[];
}

/** Computes with TensorFlow.js itself, in this thread, and reads the results; nothing is left behind. */
export async function compute<Name extends string>(
  fn: () => Record<Name, tf.Tensor>,
): Promise<Readonly<Record<Name, Computed>>> {
  const made = tf.tidy(fn);
  try {
    const read = Object.entries<tf.Tensor>(made).map(async ([name, tensor]) => {
      return [name, { data: await tensor.data(), shape: tensor.shape }] as const;
    });
    return Object.fromEntries<Computed>(await Promise.all(read)) as Record<Name, Computed>;
  } finally {
    tf.dispose(made);
  }
}

/** Numbers by name as tensors. Call it in what is given to `compute`, which frees them. */
export function tensorsOf(
  arrays: Readonly<Record<string, { readonly data: ArrayLike<number>; readonly shape: readonly number[] }>>,
): Record<string, tf.Tensor> {
  const entries = Object.entries(arrays).map(([name, { data, shape }]) => {
    const dtype = data instanceof Int32Array ? "int32" : "float32";
    return [name, tf.tensor(data as Float32Array, [...shape], dtype)];
  });
  return Object.fromEntries(entries);
}

/** One recorded tensor. */
export function tensorOf({ data, shape }: Computed): tf.Tensor {
  return tf.tensor(data, [...shape]);
}

/**
 * A loss and its gradients with respect to named tensors; 0 for those that it does not depend on, where TensorFlow.js would
 * throw.
 */
export function lossAndGradients(
  tensors: Readonly<Record<string, tf.Tensor>>,
  loss: (moved: Record<string, tf.Tensor>) => tf.Scalar,
): { loss: tf.Scalar; grads: Record<string, tf.Tensor> } {
  const names = Object.keys(tensors);
  const { value, grads } = tf.valueAndGrads((...moved: tf.Tensor[]) => {
    const nothing = moved.map((tensor) => tf.sum(tf.mul(tensor, 0)));
    return tf.addN([loss(Object.fromEntries(names.map((name, i) => [name, moved[i]!]))), ...nothing]);
  })(Object.values(tensors));
  return { loss: value as tf.Scalar, grads: Object.fromEntries(names.map((name, i) => [name, grads[i]!])) };
}
