import { tf } from "./tf.ts";

// Letters: B batch, T tokens, S keys, K head width, H heads, G key heads, R = H/G · T: the queries that one key head
// serves, head by head. H and G·R/T are the same heads in the same order, so grouped queries need no copies of the keys.

export type AttentionInputs = { q: tf.Tensor; k: tf.Tensor; v: tf.Tensor; mask?: tf.Tensor };
export type AttentionAttributes = { heads: number; keyHeads: number };

/** "ClaraAttention": [B, T, H·K] from q [B, T, H·K], k and v [B, S, G·K], mask [B, S] or [B, T, S], float32. */
export function composedAttention(inputs: AttentionInputs, attrs: AttentionAttributes): tf.Tensor {
  const { queries, keys } = operands(inputs, attrs);
  const weights = softmaxOfScores(queries, keys, inputs.mask, attrs); // [B, G, R, S]
  const mixed = tf.matMul(weights, split(inputs.v, attrs.keyHeads)); // [B, G, R, K]
  return ungroup(mixed, attrs);
}

/**
 * The gradients for q, k and v, given the output `y` and its gradient `dy`.
 *
 * With P the weights: dS = P∘(dP - rowsum(P∘dP)), where dP = dO·Vᵀ. The row sums equal those of dO∘O, which are small; they
 * ride in the product dO·Vᵀ as one more column. So over [B, G, R, S] there are, beside five matrix products, one softmax and
 * one multiplication (and one addition when the mask has a row for each token).
 *
 * @see Dao et al. 2022, "FlashAttention", appendix B.2. https://arxiv.org/abs/2205.14135
 */
export function attentionGradient(
  inputs: AttentionInputs,
  attrs: AttentionAttributes,
  y: tf.Tensor,
  dy: tf.Tensor,
): tf.Tensor[] {
  const { queries, keys, scale } = operands(inputs, attrs);
  const weights = softmaxOfScores(queries, keys, inputs.mask, attrs); // P [B, G, R, S]
  const dO = group(dy, attrs); // [B, G, R, K]
  const dV = tf.matMul(weights, dO, true); // [B, G, S, K]

  const [B, T, D] = y.shape as [number, number, number];
  const byHead = tf.reshape(tf.mul(dy, y), [B, T, attrs.heads, D / attrs.heads]);
  const rowSums = group(tf.sum(byHead, 3), attrs); // [B, G, R, 1]
  const withSums = tf.concat([dO, tf.neg(rowSums)], 3); // [B, G, R, K+1]
  const values = appendOnes(split(inputs.v, attrs.keyHeads)); // [B, G, S, K+1]
  const dS = tf.mul(weights, tf.matMul(withSums, values, false, true)); // [B, G, R, S]

  const dQ = tf.mul(tf.matMul(dS, keys), scale); // [B, G, R, K]
  const dK = tf.matMul(dS, queries, true); // [B, G, S, K], the scale is in the queries
  return [ungroup(dQ, attrs), join(dK), join(dV)];
}

/** Queries [B, G, R, K], already scaled, and keys [B, G, S, K]. */
function operands({ q, k }: AttentionInputs, attrs: AttentionAttributes) {
  const scale = 1 / Math.sqrt(q.shape[2]! / attrs.heads);
  return { queries: group(tf.mul(q, scale), attrs), keys: split(k, attrs.keyHeads), scale };
}

/** @returns [B, G, R, S] */
function softmaxOfScores(queries: tf.Tensor, keys: tf.Tensor, mask: tf.Tensor | undefined, attrs: AttentionAttributes) {
  if (mask === undefined) return tf.softmax(tf.matMul(queries, keys, false, true));
  // 0 or -1e9, not infinity: a row that is masked throughout must stay finite.
  const penalty = tf.mul(tf.sub(mask, 1), 1e9);
  const [B, G, S] = keys.shape as [number, number, number];
  if (mask.rank === 2) {
    // The keys' penalty rides in the product as one more column against a one: no pass over the scores.
    const column = tf.tile(tf.reshape(penalty, [B, 1, S, 1]), [1, G, 1, 1]); // [B, G, S, 1]
    return tf.softmax(tf.matMul(appendOnes(queries), tf.concat([keys, column], 3), false, true));
  }
  const T = mask.shape[1]!;
  const scores = tf.matMul(queries, keys, false, true); // [B, G, R, S]
  const byHead = tf.reshape(scores, [B, attrs.heads, T, S]);
  const masked = tf.add(byHead, tf.reshape(penalty, [B, 1, T, S]));
  return tf.softmax(tf.reshape(masked, [B, G, queries.shape[2]!, S]));
}

/** [B, L, heads·K] to [B, heads, L, K]. */
function split(x: tf.Tensor, heads: number): tf.Tensor {
  const [B, L, D] = x.shape as [number, number, number];
  return tf.transpose(tf.reshape(x, [B, L, heads, D / heads]), [0, 2, 1, 3]);
}

/** The opposite of `split`. */
function join(x: tf.Tensor): tf.Tensor {
  const [B, heads, L, K] = x.shape as [number, number, number, number];
  return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [B, L, heads * K]);
}

/** [B, T, H·K] to [B, G, R, K]. */
function group(x: tf.Tensor, { heads, keyHeads }: AttentionAttributes): tf.Tensor {
  const [B, T, D] = x.shape as [number, number, number];
  return tf.reshape(split(x, heads), [B, keyHeads, (heads / keyHeads) * T, D / heads]);
}

/** The opposite of `group`. */
function ungroup(x: tf.Tensor, { heads, keyHeads }: AttentionAttributes): tf.Tensor {
  const [B, , R, K] = x.shape as [number, number, number, number];
  return join(tf.reshape(x, [B, heads, R / (heads / keyHeads), K]));
}

/** [B, G, L, K] to [B, G, L, K+1]. */
function appendOnes(x: tf.Tensor): tf.Tensor {
  return tf.pad(
    x,
    [
      [0, 0],
      [0, 0],
      [0, 0],
      [0, 1],
    ],
    1,
  );
}
