import { tf } from "./tf.ts";

/**
 * Runs the kernel `name` when the current backend has it, and `composed` (the same from TensorFlow.js's own operations)
 * when not. A backend gains a faster form by registering a kernel, and no caller changes.
 *
 * Forward only: TensorFlow.js knows no gradient of such a kernel, so call this inside `withGradient`.
 *
 * @param inputs by the names of the kernel; leave out, rather than undefined, what is not given
 * @param attrs numbers, lists of numbers and text
 * @returns one tensor or a list of them, the same from both forms
 */
export function fused<
  Inputs extends tf.NamedTensorMap,
  Attributes extends tf.NamedAttrMap,
  Outputs extends tf.Tensor | tf.Tensor[],
>(name: string, inputs: Inputs, attrs: Attributes, composed: (inputs: Inputs, attrs: Attributes) => Outputs): Outputs {
  if (tf.getKernel(name, tf.getBackend()) === undefined) return composed(inputs, attrs);
  return tf.engine().runKernel(name, inputs, attrs) as Outputs;
}

/**
 * Puts `forward` on the gradient tape as one step whose gradient is `backward`.
 *
 * TensorFlow.js records nothing inside `forward`, and frees what it makes: `backward` may read the tensors in `saved` and no
 * others, neither its own inputs nor what a closure holds. It returns one new tensor for each input, in order.
 */
export function withGradient<Value extends tf.Tensor>(
  inputs: readonly tf.Tensor[],
  forward: () => { readonly value: Value; readonly saved: tf.Tensor[] },
  backward: (dy: Value, saved: tf.Tensor[]) => tf.Tensor[],
): Value {
  const step = tf.customGrad((...args) => {
    const { value, saved } = forward();
    const save = args.at(-1) as unknown as (tensors: tf.Tensor[]) => void;
    save(saved);
    return {
      value,
      // Without a tidy all that every gradient makes on its way would live until the last gradient is done.
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.tidy(() => backward(dy as Value, saved)),
    };
  });
  return step(...inputs) as Value;
}
