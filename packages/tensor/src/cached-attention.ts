import { ClaraError } from "@clara/core";
import { composedAttention } from "./attention-kernel.ts";
import { dims } from "./dims.ts";
import { fused, withGradient } from "./fused.ts";
import { tf } from "./tf.ts";

/** Keys and values of earlier tokens: C slots for each sequence of the batch, G key heads of width K. */
export type AttentionCache = {
  /** [B, G, C, K] */
  keys: tf.Tensor4D;
  /** [B, G, C, K] */
  values: tf.Tensor4D;
};

export interface CachedAttentionOptions {
  /** Number of heads H of `q`. */
  readonly heads: number;
  /** Number of heads G of `k`, `v` and the cache; divides `heads`. @default heads */
  readonly keyHeads?: number | undefined;
  /** [B] int32: slots of each sequence that are filled, from the front. Slots beyond are not read. */
  readonly lengths: tf.Tensor1D;
  /** How many tokens a token sees, itself included: the newest ones (sliding window). @default all */
  readonly window?: number | undefined;
}

/**
 * Causal attention of T new tokens: each sees the filled slots of its sequence's cache, then the new tokens up to itself.
 *
 * The cache stays as it is. Its owner writes `k` and `v` behind the filled slots afterwards, which costs nothing beside
 * returning a new cache from here. Inference only: asking for the gradient throws.
 *
 * @param q [B, T, H·K]
 * @param k [B, T, G·K]
 * @param v [B, T, G·K]
 * @returns [B, T, H·K], heads side by side
 * @throws ClaraError "shape" when the tensors disagree, "option" when `heads` does not divide the width, `keyHeads` not
 *   `heads`, or the window is no integer of at least 1; "unsupported" for a gradient.
 */
export function cachedAttention(
  q: tf.Tensor3D,
  k: tf.Tensor3D,
  v: tf.Tensor3D,
  cache: AttentionCache,
  { heads, keyHeads = heads, lengths, window }: CachedAttentionOptions,
): tf.Tensor3D {
  const { B, T, D } = dims("cachedAttention: q", q, ["B", "T", "D"]);
  const K = D / heads;
  if (!(heads >= 1) || !Number.isInteger(heads) || !Number.isInteger(K)) {
    throw new ClaraError("option", `cachedAttention: heads must divide the width ${D}, got ${heads}`);
  }
  if (!(keyHeads >= 1) || !Number.isInteger(keyHeads) || heads % keyHeads !== 0) {
    throw new ClaraError("option", `cachedAttention: keyHeads must divide the ${heads} heads, got ${keyHeads}`);
  }
  if (window !== undefined && !(window >= 1 && Number.isInteger(window))) {
    throw new ClaraError("option", `cachedAttention: window must be an integer of at least 1, got ${window}`);
  }
  dims("cachedAttention: k", k, [B, T, keyHeads * K]);
  dims("cachedAttention: v", v, [B, T, keyHeads * K]);
  const { C } = dims("cachedAttention: cache.keys", cache.keys, [B, keyHeads, "C", K]);
  dims("cachedAttention: cache.values", cache.values, [B, keyHeads, C, K]);
  dims("cachedAttention: lengths", lengths, [B]);
  return tf.tidy(() =>
    withGradient(
      [q, k, v, cache.keys, cache.values],
      () => {
        const inputs = { q, k, v, keys: cache.keys, values: cache.values, lengths: tf.cast(lengths, "int32") };
        // 0 stands for no window: attributes of kernels are numbers.
        const attrs = { heads, keyHeads, window: window ?? 0 };
        const y = fused("ClaraCachedAttention", inputs, attrs, composedCachedAttention) as tf.Tensor3D;
        return { value: y, saved: [] };
      },
      () => {
        throw new ClaraError("unsupported", "cachedAttention has no gradient; train with attention and a causal mask");
      },
    ),
  );
}

type Inputs = { q: tf.Tensor; k: tf.Tensor; v: tf.Tensor; keys: tf.Tensor; values: tf.Tensor; lengths: tf.Tensor };
type Attributes = { heads: number; keyHeads: number; window: number };

/**
 * "ClaraCachedAttention": [B, T, H·K] from q [B, T, H·K], k and v [B, T, G·K], keys and values [B, G, C, K], float32, and
 * lengths [B], int32. A window of 0 is none.
 */
export function composedCachedAttention({ lengths, ...inputs }: Inputs, { window, ...heads }: Attributes): tf.Tensor {
  const [B, G, C, K] = inputs.keys.shape as [number, number, number, number];
  const T = inputs.q.shape[1]!;
  const filled = tf.reshape(lengths, [B, 1, 1]);
  const token = tf.reshape(tf.range(0, T, 1, "int32"), [1, T, 1]);
  // The first token that a token sees, counted from the first new one.
  const first = window > 0 ? tf.sub(token, window - 1) : undefined; // [1, T, 1]
  const seen = (at: tf.Tensor, before: tf.Tensor): tf.Tensor =>
    tf.cast(first ? tf.logicalAnd(before, tf.greaterEqual(at, first)) : before, "float32");
  const slot = tf.reshape(tf.range(0, C, 1, "int32"), [1, 1, C]);
  const key = tf.reshape(tf.range(0, T, 1, "int32"), [1, 1, T]);
  const old = tf.broadcastTo(seen(tf.sub(slot, filled), tf.less(slot, filled)), [B, T, C]);
  const mask = tf.concat([old, tf.broadcastTo(seen(key, tf.lessEqual(key, token)), [B, T, T])], 2); // [B, T, C+T]
  const behind = (cached: tf.Tensor, rows: tf.Tensor): tf.Tensor =>
    tf.concat([tf.reshape(tf.transpose(cached, [0, 2, 1, 3]), [B, C, G * K]), rows], 1); // [B, C+T, G·K]
  const [k, v] = [behind(inputs.keys, inputs.k), behind(inputs.values, inputs.v)];
  return composedAttention({ q: inputs.q, k, v, mask }, heads);
}
