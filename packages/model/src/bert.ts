import { ClaraError } from "@clara/core";
import { attention, composedKernels, dims, gelu, type Lora, layerNorm, linear, tf } from "@clara/tensor";
import type { BertEmbeddings, BertLayer, BertParams, Linear } from "./bert-params.ts";

/** Token sequences of one length; shorter ones are padded and masked. All int32 [B, T]. */
export type BertBatch = {
  /** Below V. */
  ids: tf.Tensor2D;
  /** 0 or 1: which of two texts a token belongs to. */
  types: tf.Tensor2D;
  /** 1 for tokens, 0 for padding. */
  mask: tf.Tensor2D;
};

export interface EncodeBertOptions {
  /** `H`, divides D. */
  readonly heads: number;
  /** @default 1e-12 */
  readonly layerNormEps?: number;
  /**
   * Updates by the path of the linear map they change: `layers.<i>.attention.<query|key|value|output>` or
   * `layers.<i>.feedForward.<in|out>`.
   * @default {}
   */
  readonly lora?: Readonly<Record<string, Lora>>;
}

/**
 * BERT's encoder: the final state of every token. States of padding are of no use.
 *
 * @returns [B, T, D]
 * @throws ClaraError "shape" when the batch's shapes differ or T is more than the positions the model has; "option" when
 *   heads do not divide D or `lora` has a path that the model lacks.
 * @see Devlin et al. 2018, "BERT". https://arxiv.org/abs/1810.04805
 */
export function encodeBert(
  { embeddings, layers }: BertParams,
  batch: BertBatch,
  { heads, layerNormEps = 1e-12, lora = {} }: EncodeBertOptions,
): tf.Tensor3D {
  const { B, T } = dims("encodeBert: ids", batch.ids, ["B", "T"]);
  dims("encodeBert: types", batch.types, [B, T]);
  dims("encodeBert: mask", batch.mask, [B, T]);
  const P = embeddings.positions.shape[0];
  if (T > P) {
    throw new ClaraError("shape", `encodeBert: the model has ${P} positions, got ${T} tokens; cut or split the text`);
  }
  return tf.tidy(() =>
    encodeStates(layers, embed(embeddings, batch, layerNormEps), batch.mask, { heads, layerNormEps, lora }),
  );
}

/**
 * The layers of a BERT encoder over states that are not, or not all, embeddings of tokens.
 *
 * @param states [B, T, D]
 * @param mask [B, T] 1 for a state, 0 for padding
 * @returns [B, T, D]
 * @throws ClaraError "shape" when the mask has another shape, "option" as `encodeBert`.
 */
export function encodeStates(
  layers: readonly BertLayer[],
  states: tf.Tensor3D,
  mask: tf.Tensor2D,
  { heads, layerNormEps = 1e-12, lora = {} }: EncodeBertOptions,
): tf.Tensor3D {
  const { B, T } = dims("encodeStates: states", states, ["B", "T", "D"]);
  dims("encodeStates: mask", mask, [B, T]);
  checkPaths(lora, layers);
  return tf.tidy(() =>
    layers.reduce((x, layer, i) => {
      const apply = (given: tf.Tensor3D, map: Linear, path: string): tf.Tensor3D =>
        linear(given, map.weight, { bias: map.bias, lora: lora[`layers.${i}.${path}`] });
      return encodeLayer(x, layer, mask, apply, { heads, layerNormEps });
    }, states),
  );
}

function embed({ words, positions, types, norm }: BertEmbeddings, batch: BertBatch, eps: number): tf.Tensor3D {
  const [T, D] = [batch.ids.shape[1], words.shape[1]];
  const content = tf.add(tf.gather(words, batch.ids), tf.gather(types, batch.types)); // [B, T, D]
  const sum: tf.Tensor3D = tf.add(content, tf.slice(positions, [0, 0], [T, D])); // [B, T, D]
  return layerNorm(sum, norm.gamma, norm.beta, eps);
}

/** One layer: attention, then feed-forward, each added to its input and normalised afterwards. */
function encodeLayer(
  x: tf.Tensor3D,
  { attention: att, feedForward }: BertLayer,
  mask: tf.Tensor2D,
  apply: (states: tf.Tensor3D, map: Linear, path: string) => tf.Tensor3D,
  { heads, layerNormEps }: { heads: number; layerNormEps: number },
): tf.Tensor3D {
  const query = apply(x, att.query, "attention.query"); // [B, T, D]
  const key = apply(x, att.key, "attention.key");
  const value = apply(x, att.value, "attention.value");
  const mixed = apply(attention(query, key, value, { heads, mask }), att.output, "attention.output");
  const y = layerNorm(tf.add(x, mixed) as tf.Tensor3D, att.norm.gamma, att.norm.beta, layerNormEps);
  const inner = gelu(apply(y, feedForward.in, "feedForward.in")); // [B, T, F]
  const outer = apply(inner, feedForward.out, "feedForward.out"); // [B, T, D]
  return layerNorm(tf.add(y, outer) as tf.Tensor3D, feedForward.norm.gamma, feedForward.norm.beta, layerNormEps);
}

/**
 * What `encodeBert` is made of, in its own words: whoever keeps what was compiled from it must see when a part changes.
 */
export const encodeBertSource: string = [
  encodeBert,
  encodeStates,
  embed,
  encodeLayer,
  attention,
  gelu,
  layerNorm,
  linear,
  ...Object.values(composedKernels),
].join("\n");

/** A misspelt path would train nothing, silently. */
function checkPaths(lora: Readonly<Record<string, Lora>>, layers: readonly BertLayer[]): void {
  for (const path of Object.keys(lora)) {
    const match = /^layers\.(\d+)\.(?:attention\.(?:query|key|value|output)|feedForward\.(?:in|out))$/.exec(path);
    if (match === null || Number(match[1]) >= layers.length) {
      const example = 'such as "layers.0.attention.query"';
      throw new ClaraError(
        "option",
        `encodeBert: lora: no linear map "${path}" in ${layers.length} layers; paths are ${example}`,
      );
    }
  }
}
