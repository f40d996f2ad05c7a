import type { AdamWRates } from "./adam-w.ts";

/** Algorithm 2 of "Decoupled Weight Decay Regularization", line by line, in double precision. */
export function plainAdamW(
  state: { values: Float64Array; first: Float64Array; second: Float64Array },
  gradients: ArrayLike<number>,
  { learningRate, beta1, beta2, epsilon, weightDecay, scale, step }: AdamWRates,
): void {
  const { values, first, second } = state;
  for (let i = 0; i < values.length; i++) {
    const g = gradients[i]! * scale;
    first[i] = beta1 * first[i]! + (1 - beta1) * g;
    second[i] = beta2 * second[i]! + (1 - beta2) * g * g;
    const unbiased1 = first[i]! / (1 - beta1 ** step);
    const unbiased2 = second[i]! / (1 - beta2 ** step);
    const direction = unbiased1 / (Math.sqrt(unbiased2) + epsilon);
    values[i] = values[i]! - learningRate * (direction + weightDecay * values[i]!);
  }
}
