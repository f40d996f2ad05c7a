import { ClaraError } from "@clara/core";
import { dims } from "./dims.ts";
import { noGrad } from "./gradients.ts";
import { tf } from "./tf.ts";

export interface AttentionOptions {
  /** Number of heads; divides D. */
  readonly heads: number;
  /**
   * 1 keeps, 0 drops; any numeric type. [B, S] masks keys for all tokens alike (padding), [B, T, S] for each token
   * (causal). Nothing is masked by default.
   */
  readonly mask?: tf.Tensor2D | tf.Tensor3D | undefined;
}

/**
 * Multi-head scaled dot-product attention, between projections that the caller applies.
 *
 * A token whose every key is masked gets some average of all values: finite, and of no use. Do not read it.
 *
 * @param q [B, T, D]
 * @param k [B, S, D], S = T for self-attention
 * @param v [B, S, D]
 * @returns [B, T, D], heads side by side
 * @throws ClaraError "shape" when the tensors disagree, "option" when `heads` does not divide D.
 * @see Vaswani et al. 2017, "Attention Is All You Need", section 3.2. https://arxiv.org/abs/1706.03762
 */
export function attention(
  q: tf.Tensor3D,
  k: tf.Tensor3D,
  v: tf.Tensor3D,
  { heads, mask }: AttentionOptions,
): tf.Tensor3D {
  const { B, T, D } = dims("attention: q", q, ["B", "T", "D"]);
  const { S } = dims("attention: k", k, [B, "S", D]);
  dims("attention: v", v, [B, S, D]);
  if (mask) dims("attention: mask", mask, mask.rank === 3 ? [B, T, S] : [B, S]);
  const K = D / heads;
  if (heads < 1 || !Number.isInteger(heads) || !Number.isInteger(K)) {
    throw new ClaraError("option", `attention: heads must divide the width ${D}, got ${heads}`);
  }
  return tf.tidy(() => {
    const split = (x: tf.Tensor3D, length: number): tf.Tensor4D =>
      tf.transpose(tf.reshape(x, [B, length, heads, K]), [0, 2, 1, 3]); // [B, H, length, K]
    let scores: tf.Tensor = tf.matMul(split(q, T), split(k, S), false, true); // [B, H, T, S]
    scores = tf.mul(scores, 1 / Math.sqrt(K));
    if (mask) {
      const penalty = noGrad(() => {
        const keep = tf.reshape(tf.cast(mask, "float32"), [B, 1, mask.rank === 3 ? T : 1, S]);
        return tf.mul(tf.sub(keep, 1), 1e9); // 0 or -1e9
      });
      scores = tf.add(scores, penalty);
    }
    const mixed: tf.Tensor4D = tf.matMul(tf.softmax(scores), split(v, S)); // [B, H, T, K]
    return tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [B, T, D]);
  });
}
