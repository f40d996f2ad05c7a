import { ClaraError } from "@clara/core";

/** The shape of a causal decoder: Mistral, Llama, Qwen2 or Qwen3. */
export interface DecoderConfig {
  /** `D` */
  readonly width: number;
  readonly layers: number;
  /** `H` */
  readonly heads: number;
  /** `G`, divides H: each head of keys and values serves H/G heads of queries. */
  readonly keyHeads: number;
  /** `K`; H·K need not be D. */
  readonly headWidth: number;
  /** `F` */
  readonly feedForward: number;
  /** `V` of the base model, before tokens are added. */
  readonly vocabulary: number;
  readonly normEps: number;
  /** Radians a position of each of the K/2 pairs. */
  readonly frequencies: readonly number[];
  /** A token sees itself and the `window - 1` tokens before it; null: all. */
  readonly window: number | null;
  /** Query, key and value have biases (Qwen2). */
  readonly biases: boolean;
  /** Each head of queries and keys is normalised before it is turned (Qwen3). */
  readonly headNorms: boolean;
  /** The logits are products with the token embeddings. */
  readonly tiedHead: boolean;
}

const families = ["mistral", "llama", "qwen2", "qwen3"] as const;

/** Well above every model that there is: what is more is an error, and would cost memory before anything else shows it. */
const most = {
  hidden_size: 65_536,
  num_attention_heads: 1024,
  num_key_value_heads: 1024,
  head_dim: 4096,
  num_hidden_layers: 1024,
  intermediate_size: 1_048_576,
  vocab_size: 4_194_304,
} as const;
type Size = keyof typeof most;

/**
 * Checks a parsed config.json of Hugging Face's.
 *
 * @throws ClaraError "weights" that names the field, also for what this decoder does not compute.
 */
export function parseDecoderConfig(json: unknown): DecoderConfig {
  if (typeof json !== "object" || json === null || Array.isArray(json)) fail("the file must be an object");
  const file = json as Record<string, unknown>;
  const family = file.model_type as (typeof families)[number];
  if (!families.includes(family)) fail(`model_type must be one of ${families.join(", ")}, got ${shown(family)}`);
  for (const [name, value] of [
    ["hidden_act", "silu"] as const,
    ["attention_bias", false] as const,
    ["mlp_bias", false] as const,
  ]) {
    if ((file[name] ?? value) !== value)
      fail(`${name} must be ${shown(value)}, got ${shown(file[name])}; other decoders are not built in`);
  }
  const read = (name: Size, fallback?: number): number => {
    const value = file[name] ?? fallback;
    if (!Number.isInteger(value) || (value as number) < 1)
      fail(`${name} must be a whole number above 0, got ${shown(value)}`);
    if ((value as number) > most[name]) fail(`${name} must be at most ${most[name]}, got ${shown(value)}`);
    return value as number;
  };
  const width = read("hidden_size");
  const heads = read("num_attention_heads");
  const keyHeads = read("num_key_value_heads", heads);
  const headWidth = read("head_dim", width / heads);
  if (heads % keyHeads !== 0) fail(`${keyHeads} heads of keys do not divide ${heads} heads`);
  if (headWidth % 2 !== 0) fail(`the width of a head must be even, got ${headWidth}`);
  return {
    width,
    layers: read("num_hidden_layers"),
    heads,
    keyHeads,
    headWidth,
    feedForward: read("intermediate_size"),
    vocabulary: read("vocab_size"),
    normEps: above(0, "rms_norm_eps", file.rms_norm_eps),
    frequencies: frequenciesOf(file, headWidth),
    window: windowOf(file, family),
    biases: family === "qwen2",
    headNorms: family === "qwen3",
    tiedHead: file.tie_word_embeddings === true,
  };
}

/** @see https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_rope_utils.py */
function frequenciesOf(file: Record<string, unknown>, headWidth: number): number[] {
  // Newer files have all of it in `rope_parameters`.
  const scaling = (file.rope_scaling ?? file.rope_parameters ?? {}) as Record<string, unknown>;
  const base = above(1, "rope_theta", file.rope_theta ?? scaling.rope_theta);
  const frequencies = Array.from({ length: headWidth / 2 }, (_, i) => base ** ((-2 * i) / headWidth));
  const kind = scaling.rope_type ?? scaling.type ?? "default";
  if (kind === "default") return frequencies;
  if (kind !== "llama3") fail(`rope_scaling: rope_type must be "default" or "llama3", got ${shown(kind)}`);
  const of = (name: string): number => above(0, `rope_scaling.${name}`, scaling[name]);
  const [factor, low, high] = [of("factor"), of("low_freq_factor"), of("high_freq_factor")];
  const trained = of("original_max_position_embeddings");
  // Slow pairs, which never turned once in training, are slowed down; fast ones stay; those between are mixed.
  return frequencies.map((frequency) => {
    const turns = (trained * frequency) / (2 * Math.PI);
    const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
    return kept * frequency + ((1 - kept) * frequency) / factor;
  });
}

function windowOf(file: Record<string, unknown>, family: string): number | null {
  const types = new Set((file.layer_types as unknown[] | undefined) ?? []);
  const used = family.startsWith("qwen") ? file.use_sliding_window === true : family === "mistral";
  const window = file.sliding_window ?? null;
  if (!used || window === null) return null;
  const mixed = types.size > 1 || (family.startsWith("qwen") && !types.has("sliding_attention"));
  if (mixed) fail("layer_types: layers with and without a sliding window in one model are not built in");
  if (!Number.isInteger(window) || (window as number) < 1)
    fail(`sliding_window must be a whole number above 0 or null, got ${shown(window)}`);
  return window as number;
}

function above(least: number, name: string, value: unknown): number {
  if (typeof value === "number" && value > least && Number.isFinite(value)) return value;
  return fail(`${name} must be a number above ${least}, got ${shown(value)}`);
}

function shown(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}

function fail(problem: string): never {
  throw new ClaraError("weights", `parseDecoderConfig: config.json: ${problem}`);
}
