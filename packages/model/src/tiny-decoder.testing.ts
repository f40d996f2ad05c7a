import type { Weights } from "@clara/core";
import { tf } from "@clara/tensor";
import { decoderArrays } from "./decoder-arrays.ts";
import { type DecoderConfig, parseDecoderConfig } from "./decoder-config.ts";
import { type DecoderParams, nestDecoder } from "./decoder-params.ts";

/** A config.json of two layers, with whatever is to be different. */
export const tinyConfigFile = {
  model_type: "mistral",
  hidden_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  intermediate_size: 6,
  vocab_size: 11,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  sliding_window: null,
  hidden_act: "silu",
};

/** Hugging Face's names and sizes of a config's tensors. */
export function decoderSizes(config: DecoderConfig): Record<string, number[]> {
  const { width: D, heads, keyHeads, headWidth: K, feedForward: F, vocabulary: V } = config;
  const sizes: Record<string, number[]> = { "model.embed_tokens.weight": [V, D], "model.norm.weight": [D] };
  if (!config.tiedHead) sizes["lm_head.weight"] = [V, D];
  for (let i = 0; i < config.layers; i++) {
    const own: Record<string, number[]> = {
      "input_layernorm.weight": [D],
      "post_attention_layernorm.weight": [D],
      "self_attn.q_proj.weight": [heads * K, D],
      "self_attn.k_proj.weight": [keyHeads * K, D],
      "self_attn.v_proj.weight": [keyHeads * K, D],
      "self_attn.o_proj.weight": [D, heads * K],
      "mlp.gate_proj.weight": [F, D],
      "mlp.up_proj.weight": [F, D],
      "mlp.down_proj.weight": [D, F],
    };
    if (config.biases) {
      Object.assign(own, {
        "self_attn.q_proj.bias": [heads * K],
        "self_attn.k_proj.bias": [keyHeads * K],
        "self_attn.v_proj.bias": [keyHeads * K],
      });
    }
    if (config.headNorms) Object.assign(own, { "self_attn.q_norm.weight": [K], "self_attn.k_norm.weight": [K] });
    for (const [name, size] of Object.entries(own)) sizes[`model.layers.${i}.${name}`] = size;
  }
  return sizes;
}

/** A checkpoint with Hugging Face's names and seeded numbers from -1 to 1. */
export function decoderCheckpoint(config: DecoderConfig): Weights {
  let seed = 7;
  const next = (): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 31 - 1;
  };
  return Object.fromEntries(
    Object.entries(decoderSizes(config)).map(([name, shape]) => {
      const length = shape.reduce((a, b) => a * b, 1);
      return [name, { shape, data: Float32Array.from({ length }, next) }];
    }),
  );
}

/** The caller disposes `params`. */
export function tinyDecoder(changes: object = {}): { config: DecoderConfig; params: DecoderParams } {
  const config = parseDecoderConfig({ ...tinyConfigFile, ...changes });
  const arrays = Object.entries(decoderArrays(decoderCheckpoint(config), config));
  const tensors = arrays.map(([name, { data, shape }]) => [name, tf.tensor(data, [...shape])]);
  return { config, params: nestDecoder(Object.fromEntries(tensors)) };
}
