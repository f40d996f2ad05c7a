import type { Weights } from "@clara/core";
import type { HostTensors } from "@clara/engine";
import { type DecoderConfig, decoderArrays, parseDecoderConfig } from "@clara/model";
import { tf } from "@clara/tensor";
import { random } from "../random.ts";
import type { ClaraExample } from "./clara-batches.ts";
import type { ClaraShape, Role } from "./clara-params.ts";
import { addTokens, freshAdapter } from "./fresh.ts";

const decoder: DecoderConfig = parseDecoderConfig({
  model_type: "mistral",
  hidden_size: 16,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  intermediate_size: 24,
  vocab_size: 12,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
});

/** A decoder of 12 words and seeded numbers, by Hugging Face's names and ours. */
export function tinyBase(): { decoder: DecoderConfig; base: Weights } {
  const { width: D, feedForward: F, layers, vocabulary: V } = decoder;
  const sizes: Record<string, number[]> = {
    "model.embed_tokens.weight": [V, D],
    "model.norm.weight": [D],
    "lm_head.weight": [V, D],
  };
  for (let i = 0; i < layers; i++) {
    const own = { q: [D, D], k: [D / 2, D], v: [D / 2, D], o: [D, D] };
    for (const [name, size] of Object.entries(own)) sizes[`model.layers.${i}.self_attn.${name}_proj.weight`] = size;
    const inner = { gate: [F, D], up: [F, D], down: [D, F] };
    for (const [name, size] of Object.entries(inner)) sizes[`model.layers.${i}.mlp.${name}_proj.weight`] = size;
    for (const name of ["input", "post_attention"]) sizes[`model.layers.${i}.${name}_layernorm.weight`] = [D];
  }
  const weights = Object.entries(sizes).map(([name, shape], i) => {
    const { next } = random(5, i);
    const length = shape.reduce((a, b) => a * b, 1);
    const value = name.includes("norm") ? () => 1 : () => (next() - 0.5) * 1.2;
    return [name, { shape, data: Float32Array.from({ length }, value) }];
  });
  return { decoder, base: decoderArrays(Object.fromEntries(weights), decoder) };
}

/** A CLaRa on it: memory tokens 12 and 13, `<ENC>` 14, `<SEP>` 15, adapters of rank 4. */
export function tinyClara(): { shape: ClaraShape; base: Weights; adapters: Record<Role, Weights> } {
  const base = addTokens(tinyBase().base, decoder, { tokens: 4, seed: 1 });
  const adapter = (seed: number): Weights => freshAdapter(base, { rank: 4, seed });
  return {
    shape: { decoder, memoryTokens: 2, firstMemoryId: 12, loraScale: 2 },
    base,
    adapters: { compressor: adapter(1), generator: adapter(2), query: adapter(3) },
  };
}

const row = (...text: number[]): number[] => [14, 1, ...text, 2, 12, 13];

export interface TinyExamplesOptions {
  /** Documents of an example. @default 1 */
  readonly documents?: number;
  /** Documents in its prompt. @default all */
  readonly placed?: number;
  /** Whether it has a question. @default false */
  readonly asked?: boolean;
}

/** Examples whose answer is the word that their first document consists of. */
export function tinyExamples(count: number, options: TinyExamplesOptions = {}): ClaraExample[] {
  const { documents: total = 1, placed = total, asked = false } = options;
  return Array.from({ length: count }, (_, i): ClaraExample => {
    const word = (j: number): number => 4 + ((i + 3 * j) % 8);
    const prompt = [1, 3, ...Array.from({ length: placed }, () => [12, 13, 15]).flat(), 3];
    return {
      id: `example ${i}`,
      documents: Array.from({ length: total }, (_, j) => row(...Array<number>(1 + ((i + j) % 3)).fill(word(j)))),
      ...(asked && { question: row(word(0)) }),
      prompt: [...prompt, word(0), 2],
      answerStart: prompt.length,
    };
  });
}

/** Arrays as tensors; the caller disposes them. */
export function tensorsOf(arrays: HostTensors | Weights): Record<string, tf.Tensor> {
  const entries = Object.entries(arrays as HostTensors).map(([name, { data, shape }]) => {
    return [name, tf.tensor(data as Float32Array, [...shape], data instanceof Int32Array ? "int32" : "float32")];
  });
  return Object.fromEntries(entries);
}

/** Names with something before them. */
export function prefixed<T>(prefix: string, record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [prefix + name, value]));
}
