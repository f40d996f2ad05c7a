import { type AttentionCache, cachedAttention, dims, tf } from "@clara/tensor";
import { type DecodeOptions, decodeLayers, embedTokens } from "./decoder.ts";
import type { DecoderParams } from "./decoder-params.ts";

/** T new tokens of B sequences, no padding, and what is known of the tokens before them. */
export type DecoderContinuation = {
  /** [B] int32: tokens that each sequence has in the cache. */
  lengths: tf.Tensor1D;
  /** Keys and values of those, for each layer. */
  caches: readonly AttentionCache[];
} & (
  | {
      /** [B, T] int32, below V. */
      ids: tf.Tensor2D;
    }
  | {
      /** [B, T, D] */
      embeds: tf.Tensor3D;
    }
);

export type Continued = {
  /** [B, T, D] final states of the new tokens. */
  states: tf.Tensor3D;
  /** [B, T, G·K] of each layer: what the cache is to have behind its tokens. */
  keys: tf.Tensor3D[];
  values: tf.Tensor3D[];
};

/**
 * `decode` of tokens whose predecessors were read before: one step of writing, or a prompt over an empty cache. The cache
 * stays as it is. No gradient.
 *
 * @throws ClaraError as `decode`, and "shape" when a cache does not fit.
 */
export function decodeNext(params: DecoderParams, batch: DecoderContinuation, options: DecodeOptions): Continued {
  const { lengths, caches } = batch;
  return tf.tidy(() => {
    const embeds = "embeds" in batch ? batch.embeds : embedTokens(params, batch.ids); // [B, T, D]
    const { B, T } = dims("decodeNext: embeds", embeds, ["B", "T", params.words.shape[1]]);
    dims("decodeNext: lengths", lengths, [B]);
    dims("decodeNext: caches", { shape: [caches.length] }, [params.layers.length]);
    const { heads, keyHeads, window } = options;
    const positions: tf.Tensor2D = tf.add(tf.reshape(lengths, [B, 1]), tf.range(0, T, 1, "int32"));
    const [keys, values]: [tf.Tensor3D[], tf.Tensor3D[]] = [[], []];
    const states = decodeLayers(params, embeds, {
      ...options,
      positions,
      mix: (query, key, value, layer) => {
        keys.push(key);
        values.push(value);
        const options = { heads, keyHeads, lengths, window: window ?? undefined };
        return cachedAttention(query, key, value, caches[layer]!, options);
      },
    });
    return { states, keys, values };
  });
}
