import { ClaraError } from "@clara/core";
import { attention, type DropoutOptions, dims, matMulNBits, rmsNorm, rotary, silu, tf } from "@clara/tensor";
import { decoderMapPaths } from "./decoder-arrays.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import { applyLinear, nBitsWeight } from "./decoder-linear.ts";
import type { DecoderAdapter, DecoderLayer, DecoderLinear, DecoderParams } from "./decoder-params.ts";

/** Sequences of one length; shorter ones are padded, on the left where they are to be continued, and masked. */
export type DecoderBatch = {
  /** [B, T] 1 for tokens, 0 for padding; any numeric type. */
  mask: tf.Tensor2D;
} & (
  | {
      /** [B, T] int32, below V. */
      ids: tf.Tensor2D;
    }
  | {
      /** [B, T, D] what stands for the tokens' embeddings: how memory tokens come in. */
      embeds: tf.Tensor3D;
    }
);

/** A `DecoderConfig` has all but the adapter. */
export interface DecodeOptions
  extends Pick<DecoderConfig, "heads" | "keyHeads" | "normEps" | "frequencies" | "window"> {
  /**
   * The role that the decoder has in this call. Paths are `layers.<i>.attention.<query|key|value|output>` and
   * `layers.<i>.feedForward.<gate|up|down>`.
   * @default {}
   */
  readonly adapter?: DecoderAdapter;
  /** In training: drops entries of what the adapter's updates read, at other places in each linear map. @default none */
  readonly dropout?: DropoutOptions | undefined;
}

/**
 * A causal decoder: the final state of every token, after the last norm. States of padding are of no use.
 *
 * Positions count from the first column, padding included: rotary positions are relative, so padding on the left changes
 * nothing but rounding.
 *
 * @returns [B, T, D]
 * @throws ClaraError "shape" when the batch's shapes differ; "option" when heads do not fit or the adapter has a path that
 *   the model lacks.
 * @see Jiang et al. 2023, "Mistral 7B". https://arxiv.org/abs/2310.06825
 */
export function decode(params: DecoderParams, batch: DecoderBatch, options: DecodeOptions): tf.Tensor3D {
  const D = params.words.shape[1];
  const { B, T } = dims("decode: mask", batch.mask, ["B", "T"]);
  if ("embeds" in batch) dims("decode: embeds", batch.embeds, [B, T, D]);
  else dims("decode: ids", batch.ids, [B, T]);
  return tf.tidy(() => {
    const { heads, keyHeads } = options;
    const mask = causalMask(batch.mask, options.window); // [B, T, T]
    const embeds = "embeds" in batch ? batch.embeds : embedTokens(params, batch.ids); // [B, T, D]
    const mix: Mix = (query, key, value) => attention(query, key, value, { heads, keyHeads, mask });
    return decodeLayers(params, embeds, { ...options, positions: tf.range(0, T, 1, "int32"), mix });
  });
}

/** What the tokens of a layer take from each other, of queries [B, T, H·K], keys and values [B, T, G·K]: [B, T, H·K]. */
export type Mix = (query: tf.Tensor3D, key: tf.Tensor3D, value: tf.Tensor3D, layer: number) => tf.Tensor3D;

/** All layers over embeddings [B, T, D], and the last norm: [B, T, D]. Positions are [T] or [B, T], whole numbers. */
export function decodeLayers(
  params: DecoderParams,
  embeds: tf.Tensor3D,
  { positions, mix, ...options }: DecodeOptions & { positions: tf.Tensor1D | tf.Tensor2D; mix: Mix },
): tf.Tensor3D {
  checkPaths(options.adapter ?? {}, params.layers.length);
  let x = embeds;
  for (const [i, layer] of params.layers.entries()) {
    const apply = (states: tf.Tensor3D, map: DecoderLinear, path: string): tf.Tensor3D =>
      applyLinear(states, map, `layers.${i}.${path}`, options);
    x = decodeLayer(x, layer, positions, apply, (query, key, value) => mix(query, key, value, i), options);
  }
  return rmsNorm(x, params.norm, options.normEps);
}

/** Embeddings of tokens. @param ids [B, T] int32, below V @returns [B, T, D] */
export function embedTokens({ words }: Pick<DecoderParams, "words">, ids: tf.Tensor2D): tf.Tensor3D {
  return tf.tidy(() => tf.gather(words as tf.Tensor, ids) as tf.Tensor3D);
}

/**
 * Logits of the next token after each of these states. Apart from `decode`, so that a loss pays for the rows it reads: at
 * 32,000 tokens of vocabulary a row costs as much as the states of half a layer.
 *
 * @param states [N, D], of `decode`
 * @returns [N, V]
 * @throws ClaraError "shape" when D differs.
 */
export function decoderLogits(
  { words, head = words }: Pick<DecoderParams, "words" | "head">,
  states: tf.Tensor2D,
): tf.Tensor2D {
  const D = words.shape[1];
  dims("decoderLogits: states", states, ["N", D]);
  return tf.tidy((): tf.Tensor2D => {
    if ("packed" in head) return matMulNBits(states, nBitsWeight("decoderLogits: head", head, D));
    return tf.matMul(states, head, false, true);
  });
}

/** Attention and gated feed-forward, each of a normalised copy, added to what came in. */
function decodeLayer(
  x: tf.Tensor3D,
  { attention: att, feedForward }: DecoderLayer,
  positions: tf.Tensor1D | tf.Tensor2D,
  apply: (states: tf.Tensor3D, map: DecoderLinear, path: string) => tf.Tensor3D,
  mix: (query: tf.Tensor3D, key: tf.Tensor3D, value: tf.Tensor3D) => tf.Tensor3D,
  { heads, keyHeads, normEps, frequencies }: DecodeOptions,
): tf.Tensor3D {
  const turn = (states: tf.Tensor3D, count: number, norm: tf.Tensor1D | undefined): tf.Tensor3D =>
    rotary(normHeads(states, count, norm, normEps), {
      positions,
      heads: count,
      inverseFrequencies: frequencies,
    });
  const y = rmsNorm(x, att.norm, normEps);
  const query = turn(apply(y, att.query, "attention.query"), heads, att.queryNorm); // [B, T, H·K]
  const key = turn(apply(y, att.key, "attention.key"), keyHeads, att.keyNorm); // [B, T, G·K]
  const value = apply(y, att.value, "attention.value"); // [B, T, G·K]
  const z: tf.Tensor3D = tf.add(x, apply(mix(query, key, value), att.output, "attention.output"));
  const w = rmsNorm(z, feedForward.norm, normEps);
  const gate = silu(apply(w, feedForward.gate, "feedForward.gate")); // [B, T, F]
  const inner: tf.Tensor3D = tf.mul(gate, apply(w, feedForward.up, "feedForward.up"));
  return tf.add(z, apply(inner, feedForward.down, "feedForward.down"));
}

/** Normalises each head by itself, where the model does. */
function normHeads(x: tf.Tensor3D, heads: number, norm: tf.Tensor1D | undefined, eps: number): tf.Tensor3D {
  if (!norm) return x;
  const [B, T, D] = x.shape;
  return tf.reshape(rmsNorm(tf.reshape(x, [B, T, heads, D / heads]) as tf.Tensor4D, norm, eps), [B, T, D]);
}

/** 1 where row t may read column s: a token, not later than t, and within the window. @returns [B, T, T] float32 */
function causalMask(mask: tf.Tensor2D, window: number | null): tf.Tensor3D {
  const [B, T] = mask.shape;
  const places = tf.range(0, T, 1, "int32");
  const back = tf.sub(tf.reshape(places, [T, 1]), tf.reshape(places, [1, T])); // [T, T], how far s lies behind t
  let seen: tf.Tensor = tf.greaterEqual(back, 0);
  if (window !== null) seen = tf.logicalAnd(seen, tf.less(back, window));
  const tokens = tf.reshape(tf.cast(mask, "float32"), [B, 1, T]);
  return tf.mul(tf.reshape(tf.cast(seen, "float32"), [1, T, T]), tokens);
}

/** A misspelt path would train nothing, silently. */
function checkPaths(adapter: DecoderAdapter, layers: number): void {
  for (const path of Object.keys(adapter)) {
    const match = /^layers\.(\d+)\.(.+)$/.exec(path);
    if (match && Number(match[1]) < layers && decoderMapPaths.includes(match[2]!)) continue;
    const example = 'such as "layers.0.attention.query"';
    throw new ClaraError(
      "option",
      `decode: adapter: no linear map "${path}" in ${layers} layers; paths are ${example}`,
    );
  }
}
