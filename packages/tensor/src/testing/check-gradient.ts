import { tf } from "../tf.ts";
import { position } from "./expect-close.ts";

export interface CheckGradientOptions {
  /** How far an entry is moved. @default 0.02 */
  readonly step?: number;
  /** Difference allowed, as a part of the largest gradient entry of the same input. @default 1e-3 */
  readonly tolerance?: number;
}

/**
 * Compares the gradients of TensorFlow.js with numerical ones, entry by entry, for every input.
 *
 * Uses the five-point central difference `(8(f(+h) - f(-h)) - (f(+2h) - f(-2h))) / 12h`: with it a step that is large
 * enough for float32 is still exact to h⁴. Meaningless across kinks, and for straight-through functions, whose gradient
 * is not that of their value.
 *
 * @param fn from tensors to a scalar
 * @param inputs float32, small: `fn` runs four times per entry
 * @throws Error that names the input and the index with both values; TensorFlow.js's own where an operation has no gradient.
 */
export function checkGradient<Inputs extends readonly tf.Tensor[]>(
  fn: (...inputs: Inputs) => tf.Tensor,
  inputs: Inputs,
  { step = 0.02, tolerance = 1e-3 }: CheckGradientOptions = {},
): void {
  const evaluate = fn as unknown as (...inputs: tf.Tensor[]) => tf.Scalar;
  const size = tf.tidy(() => {
    const value = evaluate(...inputs);
    if (value.size !== 1) throw new Error(`checkGradient: fn must return a scalar, got [${value.shape.join(", ")}]`);
    return Math.abs(value.dataSync()[0]!);
  });
  // What float32 cannot tell apart: a few units in the last place of the value, over the step.
  const rounding = (8 * 2 ** -24 * Math.max(1, size)) / step;
  const gradients = tf.tidy(() =>
    tf
      .grads(evaluate)([...inputs])
      .map((gradient) => gradient.dataSync()),
  );
  for (const [i, input] of inputs.entries()) {
    const numeric = numericGradient(evaluate, inputs, i, step);
    const largest = numeric.reduce((most, entry) => Math.max(most, Math.abs(entry)), 0);
    for (const [j, expected] of numeric.entries()) {
      const got = gradients[i]![j]!;
      if (Math.abs(got - expected) <= tolerance * largest + rounding) continue;
      throw new Error(
        `checkGradient: input ${i} at [${position(j, input.shape)}] has gradient ${got}, but differences give ${expected} ` +
          `(largest entry ${largest}, tolerance ${tolerance})`,
      );
    }
  }
}

function numericGradient(
  fn: (...inputs: tf.Tensor[]) => tf.Tensor,
  inputs: readonly tf.Tensor[],
  moved: number,
  step: number,
): number[] {
  const input = inputs[moved]!;
  const values = input.dataSync();
  const at = (entry: number, offset: number): number =>
    tf.tidy(() => {
      const changed = Float32Array.from(values);
      changed[entry]! += offset;
      return fn(...inputs.with(moved, tf.tensor(changed, input.shape))).dataSync()[0]!;
    });
  return Array.from(values, (_, entry) => {
    const near = at(entry, step) - at(entry, -step);
    const far = at(entry, 2 * step) - at(entry, -2 * step);
    return (8 * near - far) / (12 * step);
  });
}
