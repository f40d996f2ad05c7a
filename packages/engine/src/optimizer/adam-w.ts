/** Numbers of a parameter with their gradient and the optimizer's two moments: four arrays of one length. */
export interface AdamWArrays {
  readonly values: Float32Array;
  readonly gradients: Float32Array;
  readonly first: Float32Array;
  readonly second: Float32Array;
}

export interface AdamWRates {
  /** Above 0. */
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Part of `learningRate` by which values shrink, apart from the gradient. */
  readonly weightDecay: number;
  /** What gradients are multiplied by first: for clipping and averaging. */
  readonly scale: number;
  /** Number of this step, from 1. */
  readonly step: number;
}

/**
 * One step of AdamW. Writes `values`, `first` and `second` in place; `gradients` are only read.
 *
 * A loop, not a graph: one pass over memory in double precision takes less time than a dozen passes of a library, each
 * number is rounded once, and there is no question of what may write over what.
 *
 * @see Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2. https://arxiv.org/abs/1711.05101
 */
export function adamW({ values, gradients, first, second }: AdamWArrays, rates: AdamWRates): void {
  const { learningRate, beta1, beta2, epsilon, weightDecay, scale, step } = rates;
  const correction1 = 1 - beta1 ** step;
  const correction2 = Math.sqrt(1 - beta2 ** step);
  // m̂ / (√v̂ + ε) = m / (√v + ε·√(1 - β₂ᵗ)) · √(1 - β₂ᵗ) / (1 - β₁ᵗ): two multiplications fewer for each number.
  const rate = (learningRate * correction2) / correction1;
  const floor = epsilon * correction2;
  const keep = 1 - learningRate * weightDecay;
  const rest1 = (1 - beta1) * scale;
  const rest2 = (1 - beta2) * scale * scale;
  for (let i = 0; i < values.length; i++) {
    const g = gradients[i]!;
    const m = first[i]! * beta1 + g * rest1;
    const v = second[i]! * beta2 + g * g * rest2;
    first[i] = m;
    second[i] = v;
    values[i] = values[i]! * keep - (m * rate) / (Math.sqrt(v) + floor);
  }
}
