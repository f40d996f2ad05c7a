import { tf } from "@clara/tensor";
import type { Specs } from "../specs.ts";

const specs: Specs = {
  ...Object.fromEntries(["p", "g", "m", "v"].map((name) => [name, { shape: ["N"] }])),
  ...Object.fromEntries(
    ["scale", "beta1", "beta2", "rest1", "rest2", "keep", "rate", "correction", "epsilon"].map((name) => [
      name,
      { shape: [] },
    ]),
  ),
};

/**
 * One step of AdamW over N numbers: parameters `p`, gradients `g`, moments `m` and `v`.
 *
 * Only elementwise operations, each of which may write over what it read: the engine binds the outputs to the inputs' arrays.
 * What is the same for all numbers comes in as scalars: `keep` is 1 - rate · decay, `correction` is 1 / √(1 - β₂ᵗ).
 *
 * @see Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2. https://arxiv.org/abs/1711.05101
 */
function update(x: Record<string, tf.Tensor>): Record<string, tf.Tensor> {
  const g = tf.mul(x.g!, x.scale!);
  const m = tf.add(tf.mul(x.m!, x.beta1!), tf.mul(g, x.rest1!));
  const v = tf.add(tf.mul(x.v!, x.beta2!), tf.mul(tf.mul(g, g), x.rest2!));
  const spread = tf.add(tf.mul(tf.sqrt(v), x.correction!), x.epsilon!);
  const p = tf.sub(tf.mul(x.p!, x.keep!), tf.div(tf.mul(m, x.rate!), spread));
  return { p, m, v };
}

export const adamW: { fn: typeof update; specs: Specs } = { fn: update, specs };
