import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Weights } from "@clara/core";
import {
  adapterTensors,
  type Dtype,
  decoderTensors,
  parseDecoderConfig,
  type SafeTensor,
  type TorchInput,
  writeSafetensors,
  writeTorchFile,
} from "@clara/model";
import { adapterNames, type Role, referenceConfig } from "@clara/train";

/** Letters, bytes, and the special tokens of Mistral: ids 0 to 2. */
const pieces = [
  ...["<unk>", "<s>", "</s>"],
  ...Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`),
  ..."▁abcdefghijklmnopqrstuvwxyz<>/[]",
];

export const tinyTokenizerFile: {
  readonly normalizer: object;
  readonly model: { readonly vocab: Readonly<Record<string, number>> } & Readonly<Record<string, unknown>>;
} & Readonly<Record<string, unknown>> = {
  added_tokens: ["<unk>", "<s>", "</s>"].map((content, id) => ({ id, content, special: true, normalized: false })),
  decoder: {
    type: "Sequence",
    decoders: [{ type: "Replace", pattern: { String: "▁" }, content: " " }, { type: "ByteFallback" }, { type: "Fuse" }],
  },
  normalizer: { type: "Replace", pattern: { String: " " }, content: "▁" },
  model: {
    type: "BPE",
    unk_token: "<unk>",
    byte_fallback: true,
    vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
    merges: [],
  },
};

export const tinyTemplate: string =
  "{{ bos_token }}[INST] {{ messages[0].content }}\n\n{{ messages[1].content }} [/INST]";

export const tinyConfigFile: Readonly<Record<string, unknown>> = {
  model_type: "mistral",
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  intermediate_size: 64,
  vocab_size: pieces.length,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
};

/** Two memory tokens of up to eight tokens of a document. */
export const tinyClaraConfig: Readonly<Record<string, unknown>> = referenceConfig(
  { stage: "endToEnd", documentTokens: 8, rate: 4, rank: 2, documents: 2 },
  { base: "a/base" },
);
const added = 2 + 3;

/** Seeded numbers that every float type holds exactly; 1 for norms. */
function numbers(name: string, shape: readonly number[]): Float32Array {
  let state = [...name].reduce((sum, letter) => Math.imul(sum, 31) + letter.charCodeAt(0), 7) >>> 0;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.round(25 * (state / 2 ** 31 - 1)) / 64 + 0; // + 0: no -0
  };
  return Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, name.includes("norm") ? () => 1 : next);
}

/** The base's tensors by Hugging Face's names. */
export function tinyBase(file: object = tinyConfigFile): Weights {
  const tensors = decoderTensors(parseDecoderConfig(file));
  return Object.fromEntries(tensors.map(({ name, shape }) => [name, { shape, data: numbers(name, shape) }]));
}

/** The checkpoint's tables: the base's rows, and more behind them. */
export function tinyTables(base: Weights = tinyBase()): Record<string, TorchInput> {
  return Object.fromEntries(
    ["model.embed_tokens.weight", "lm_head.weight"].map((name) => {
      const { shape, data } = base[name] ?? base["model.embed_tokens.weight"]!;
      const [V, D] = shape as [number, number];
      const more = numbers(`${name} added`, [added, D]);
      return [name, { shape: [V + added, D], data: Float32Array.from([...data, ...more]), dtype: "BF16" }];
    }),
  );
}

export function tinyAdapters(
  roles: readonly Role[] = ["generator", "compressor", "query"],
  file: object = tinyConfigFile,
): Record<string, TorchInput> {
  const tensors = adapterTensors(parseDecoderConfig(file), 2);
  return Object.fromEntries(
    roles.flatMap((role) =>
      tensors.map(({ name, shape }) => {
        const full = `${adapterNames[role]}/${name}`;
        return [full, { shape, data: numbers(full, shape), dtype: "BF16" as const }];
      }),
    ),
  );
}

/** Half of the layers' tensors are of each 16-bit type, the rest float32. */
export function storedAs(weights: Weights): Record<string, SafeTensor> {
  const dtypes: Dtype[] = ["BF16", "F16", "F32"];
  return Object.fromEntries(
    Object.entries(weights).map(([name, { shape, data }], i) => {
      const dtype = /embed|lm_head/.test(name) ? "BF16" : dtypes[i % 3]!;
      return [name, { dtype, shape, bytes: bytesAs(dtype, data) }];
    }),
  );
}

function bytesAs(dtype: Dtype, data: Float32Array): Uint8Array {
  if (dtype === "F32") return new Uint8Array(data.slice().buffer);
  const bits = new Uint32Array(data.slice().buffer);
  const half = (word: number): number => {
    const exponent = ((word >>> 23) & 255) - 127 + 15;
    return word << 1 === 0 ? 0 : ((word >>> 31) << 15) | (exponent << 10) | ((word >>> 13) & 1023);
  };
  return new Uint8Array(Uint16Array.from(bits, (word) => (dtype === "BF16" ? word >>> 16 : half(word))).buffer);
}

const json = (folder: string, name: string, value: unknown): void =>
  writeFileSync(join(folder, name), JSON.stringify(value));

/** A base in two shards of mixed types. */
export function writeTinyBase(folder: string, config: object = tinyConfigFile): void {
  mkdirSync(folder, { recursive: true });
  const tensors = Object.entries(storedAs(tinyBase(config)));
  const shards = [tensors.slice(0, 9), tensors.slice(9)].map(
    (of, i) => [`model-0000${i + 1}-of-00002.safetensors`, of] as const,
  );
  for (const [name, of] of shards) writeFileSync(join(folder, name), writeSafetensors(Object.fromEntries(of)));
  const map = Object.fromEntries(shards.flatMap(([name, of]) => of.map(([tensor]) => [tensor, name])));
  json(folder, "model.safetensors.index.json", { metadata: {}, weight_map: map });
  json(folder, "config.json", { ...config, use_cache: true, torch_dtype: "bfloat16" });
  json(folder, "tokenizer.json", tinyTokenizerFile);
  json(folder, "tokenizer_config.json", { bos_token: "<s>", eos_token: "</s>", chat_template: tinyTemplate });
  writeFileSync(join(folder, "README.md"), "---\nlicense: apache-2.0\ntags: [x]\n---\n# A base\n");
}

export function writeTinyCheckpoint(
  folder: string,
  {
    config = tinyClaraConfig,
    adapters = tinyAdapters(),
    tables = tinyTables(),
  }: { config?: object; adapters?: Record<string, TorchInput>; tables?: Record<string, TorchInput> } = {},
): void {
  mkdirSync(folder, { recursive: true });
  json(folder, "config.json", config);
  json(folder, "tokenizer.json", tinyTokenizerFile);
  writeFileSync(join(folder, "chat_template.jinja"), tinyTemplate);
  writeFileSync(join(folder, "adapters.pth"), writeTorchFile(adapters, { name: "adapters" }));
  writeFileSync(join(folder, "decoder_first_last_layers.pth"), writeTorchFile(tables, { name: "tables" }));
}
