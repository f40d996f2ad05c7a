import type { Weights } from "@clara/core";
import { chatTemplate, type RenderChat } from "../chat-template.ts";
import { type ClaraTokenizer, type ClaraTokenizerFiles, claraTokenizer } from "../clara-tokenizer.ts";
import { decoderMapPaths } from "../decoder-arrays.ts";
import { type DecoderConfig, parseDecoderConfig } from "../decoder-config.ts";

/** Letters, bytes, and the special tokens of Mistral: ids 0 to 2. */
const files: Pick<ClaraTokenizerFiles, "tokenizer" | "config"> = {
  tokenizer: {
    added_tokens: ["<unk>", "<s>", "</s>"].map((content, id) => ({ id, content, special: true, normalized: false })),
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
      ],
    },
    normalizer: { type: "Replace", pattern: { String: " " }, content: "▁" },
    model: {
      type: "BPE",
      unk_token: "<unk>",
      byte_fallback: true,
      vocab: Object.fromEntries(
        [
          ...["<unk>", "<s>", "</s>"],
          ...Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`),
          ..."▁abcdefghijklmnopqrstuvwxyz<>/[]",
        ].map((piece, id) => [piece, id]),
      ),
      merges: [],
    },
  },
  config: { bos_token: "<s>", eos_token: "</s>" },
};

export const tinyTokenizerWith = (memoryTokens: number): ClaraTokenizer => claraTokenizer({ ...files, memoryTokens });

/** Two memory tokens. */
export const tinyTokenizer: ClaraTokenizer = tinyTokenizerWith(2);

export const tinyConfig: DecoderConfig = parseDecoderConfig({
  model_type: "mistral",
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  intermediate_size: 24,
  vocab_size: tinyTokenizer.size - 5,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
});

/** Arrays of these shapes and seeded numbers; norms are 1. */
function numbers(shapes: Readonly<Record<string, readonly number[]>>, seed: number): Weights {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 0.4 * (state / 2 ** 31 - 1); // larger ones make one token drown the others
  };
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const length = shape.reduce((a, b) => a * b, 1);
      return [name, { shape, data: Float32Array.from({ length }, name.endsWith("norm") ? () => 1 : next) }];
    }),
  );
}

const { width: D, layers, feedForward: F } = tinyConfig;

/** From and to of each linear map. */
const maps: Readonly<Record<string, readonly [number, number]>> = {
  "attention.query": [D, D],
  "attention.key": [D, D / 2],
  "attention.value": [D, D / 2],
  "attention.output": [D, D],
  "feedForward.gate": [D, F],
  "feedForward.up": [D, F],
  "feedForward.down": [F, D],
};

function ofEachLayer(shapes: Readonly<Record<string, readonly number[]>>): Record<string, readonly number[]> {
  return Object.fromEntries(
    Array.from({ length: layers }, (_, i) =>
      Object.entries(shapes).map(([name, shape]) => [`layers.${i}.${name}`, shape] as const),
    ).flat(),
  );
}

/** The decoder, with rows for the added tokens. */
export const tinyBase: Weights = numbers(
  {
    words: [tinyTokenizer.size, D],
    norm: [D],
    head: [tinyTokenizer.size, D],
    ...ofEachLayer({
      "attention.norm": [D],
      "feedForward.norm": [D],
      ...Object.fromEntries(decoderMapPaths.map((path) => [`${path}.weight`, maps[path]!])),
    }),
  },
  1,
);

/** An adapter of rank 2 on every map. */
export function tinyAdapter(seed: number): Weights {
  const matrices = decoderMapPaths.flatMap((path) => [
    [`${path}.a`, [maps[path]![0], 2]] as const,
    [`${path}.b`, [2, maps[path]![1]]] as const,
  ]);
  return numbers(ofEachLayer(Object.fromEntries(matrices)), seed);
}

/** In the manner of Mistral's chat template. */
export const tinyRender: RenderChat = chatTemplate(
  "{{ bos_token }}[INST] {{ messages[0].content }}\n\n{{ messages[1].content }} [/INST]",
  tinyTokenizer,
);
