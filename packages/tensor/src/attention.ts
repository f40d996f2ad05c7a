import { ClaraError } from "@clara/core";
import { attentionGradient, composedAttention } from "./attention-kernel.ts";
import { dims } from "./dims.ts";
import { fused, withGradient } from "./fused.ts";
import { tf } from "./tf.ts";

export interface AttentionOptions {
  /** Number of heads of `q`; divides D. */
  readonly heads: number;
  /**
   * Number of heads of `k` and `v`; divides `heads`. With fewer than `heads` (grouped-query attention) each serves
   * `heads / keyHeads` consecutive heads of `q`.
   * @default heads
   */
  readonly keyHeads?: number | undefined;
  /**
   * 1 keeps, 0 drops; any numeric type. [B, S] masks keys for all tokens alike (padding), [B, T, S] for each token
   * (causal). Nothing is masked by default. The first is cheaper: it never becomes a tensor of the scores' size.
   */
  readonly mask?: tf.Tensor2D | tf.Tensor3D | undefined;
}

/**
 * Multi-head scaled dot-product attention, between projections that the caller applies. The gradient computes the
 * weights [B, H, T, S] again instead of keeping them.
 *
 * A token whose every key is masked gets some average of all values: finite, and of no use. Do not read it.
 *
 * @param q [B, T, D], where D = heads·K
 * @param k [B, S, keyHeads·K], S = T for self-attention
 * @param v [B, S, keyHeads·K]
 * @returns [B, T, D], heads side by side
 * @throws ClaraError "shape" when the tensors disagree, "option" when `heads` does not divide D or `keyHeads` not `heads`.
 * @see Vaswani et al. 2017, "Attention Is All You Need", section 3.2. https://arxiv.org/abs/1706.03762
 * @see Ainslie et al. 2023, "GQA", section 2.2. https://arxiv.org/abs/2305.13245
 */
export function attention(
  q: tf.Tensor3D,
  k: tf.Tensor3D,
  v: tf.Tensor3D,
  { heads, keyHeads = heads, mask }: AttentionOptions,
): tf.Tensor3D {
  const { B, T, D } = dims("attention: q", q, ["B", "T", "D"]);
  const K = D / heads;
  if (!(heads >= 1) || !Number.isInteger(heads) || !Number.isInteger(K)) {
    throw new ClaraError("option", `attention: heads must divide the width ${D}, got ${heads}`);
  }
  if (!(keyHeads >= 1) || !Number.isInteger(keyHeads) || heads % keyHeads !== 0) {
    throw new ClaraError("option", `attention: keyHeads must divide the ${heads} heads, got ${keyHeads}`);
  }
  const { S } = dims("attention: k", k, [B, "S", keyHeads * K]);
  dims("attention: v", v, [B, S, keyHeads * K]);
  if (mask) dims("attention: mask", mask, mask.rank === 3 ? [B, T, S] : [B, S]);
  const attrs = { heads, keyHeads };
  return tf.tidy(() =>
    withGradient(
      [q, k, v],
      () => {
        // Inside, where nothing is recorded: a mask is a constant even when it was computed from something that learns.
        const masks = mask ? [tf.cast(mask, "float32") as tf.Tensor] : [];
        const inputs = { q, k, v, ...(masks[0] && { mask: masks[0] }) };
        const y = fused("ClaraAttention", inputs, attrs, composedAttention) as tf.Tensor3D; // [B, T, D]
        return { value: y, saved: [q, k, v, y, ...masks] };
      },
      (dy, [q, k, v, y, mask]) => attentionGradient({ q: q!, k: k!, v: v!, ...(mask && { mask }) }, attrs, y!, dy),
    ),
  );
}
