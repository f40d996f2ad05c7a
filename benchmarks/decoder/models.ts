import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "../../apps/rag-master/src/import/inspect.ts";
import type { Precision } from "../../apps/rag-master/src/import/plan.ts";
import { runImport } from "../../apps/rag-master/src/import/run-import.ts";
import { decoderTensors, parseDecoderConfig, safetensorsHeader } from "../../packages/model/src/index.ts";
import { createRandom } from "../random.ts";

export interface Model {
  /** What Hugging Face's config.json would say. */
  readonly config: Readonly<Record<string, unknown>> & { readonly vocab_size: number };
  /**
   * Weight of the last norm. A random decoder's logits are nearly flat; this factor makes them as peaked as a trained
   * model's, and leaves their order as it is.
   */
  readonly gain: number;
}

const common = { rms_norm_eps: 1e-6, rope_theta: 1_000_000, torch_dtype: "bfloat16" };

/** Shapes of small decoders. `tiny` is there to try the benchmark itself. */
export const models: Readonly<Record<ModelName, Model>> = {
  tiny: {
    gain: 10,
    config: {
      ...{
        model_type: "qwen3",
        hidden_size: 128,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
      },
      ...{ head_dim: 32, intermediate_size: 256, vocab_size: 1000, tie_word_embeddings: true, ...common },
    },
  },
  "0.13B": {
    gain: 10,
    config: {
      ...{ model_type: "qwen3", hidden_size: 768, num_hidden_layers: 12, num_attention_heads: 12 },
      ...{ num_key_value_heads: 4, head_dim: 64, intermediate_size: 2304, vocab_size: 32_000, ...common },
    },
  },
  // Qwen2-0.5B's.
  "0.5B": {
    gain: 10,
    config: {
      ...{ model_type: "qwen2", hidden_size: 896, num_hidden_layers: 24, num_attention_heads: 14 },
      ...{ num_key_value_heads: 2, intermediate_size: 4864, vocab_size: 151_936, tie_word_embeddings: true, ...common },
    },
  },
};
export type ModelName = "tiny" | "0.13B" | "0.5B";

/**
 * Writes a decoder as it would be downloaded: bfloat16, Hugging Face's names. Weights are as at the beginning of training:
 * normal with a deviation of 0.02, through √(2·layers) for the two maps of a layer that are added to its input; norms are 1 and
 * biases 0.
 */
export function writeRandomModel(folder: string, { config, gain }: Model, seed = 1): void {
  mkdirSync(folder, { recursive: true });
  const json = (name: string, value: object): void => writeFileSync(join(folder, name), JSON.stringify(value));
  json("config.json", config);
  json("tokenizer.json", {
    added_tokens: [{ id: 0, content: "</s>", special: true, normalized: false }],
    model: { type: "BPE", vocab: { "</s>": 0, a: 1 }, merges: [] },
    decoder: { type: "ByteLevel" },
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
  });
  json("tokenizer_config.json", { eos_token: "</s>" });
  const parsed = parseDecoderConfig(config);
  const tensors = decoderTensors(parsed);
  const file = openSync(join(folder, "model.safetensors"), "w");
  writeSync(file, safetensorsHeader(tensors.map(({ name, shape }) => ({ name, dtype: "BF16", shape }))));
  const normal = createNormal(seed);
  for (const { path, shape } of tensors) {
    const size = shape.reduce((a, b) => a * b, 1);
    const constant = path === "norm" ? gain : /norm$/i.test(path) ? 1 : path.endsWith(".bias") ? 0 : undefined;
    const deviation = 0.02 / (/(output|down)\.weight$/.test(path) ? Math.sqrt(2 * parsed.layers) : 1);
    for (let at = 0; at < size; at += 2 ** 20) {
      const length = Math.min(2 ** 20, size - at);
      const part = new Float32Array(length);
      for (let i = 0; i < length; i++) part[i] = constant ?? deviation * normal();
      const bits = new Uint32Array(part.buffer);
      const halves = new Uint16Array(length);
      for (let i = 0; i < length; i++) halves[i] = (bits[i]! + 0x8000) >>> 16;
      writeSync(file, new Uint8Array(halves.buffer));
    }
  }
  closeSync(file);
}

export function parametersOf(config: Model["config"]): number {
  const sizes = decoderTensors(parseDecoderConfig(config)).map(({ shape }) => shape.reduce((a, b) => a * b, 1));
  return sizes.reduce((a, b) => a + b);
}

/** What `rag-master import <folder> --quantize <precision> --out <out>` does. @returns the weights' bytes */
export async function importModel(folder: string, precision: Precision, out: string): Promise<number> {
  const inspected = inspect(folder, { precision });
  try {
    const { bytes } = await runImport(inspected, out);
    return bytes;
  } finally {
    inspected.close();
  }
}

/** Ids from 1 up to the vocabulary, the same ones for the same seed. */
export function randomIds(count: number, vocabulary: number, seed: number): number[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => 1 + Math.floor(random() * (vocabulary - 1)));
}

/** Standard normal numbers, two at a time (Box and Muller's method). */
function createNormal(seed: number): () => number {
  const random = createRandom(seed);
  let kept: number | undefined;
  return () => {
    if (kept !== undefined) {
      const next = kept;
      kept = undefined;
      return next;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    kept = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}
