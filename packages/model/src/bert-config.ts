import { ClaraError } from "@clara/core";

/** The shape of a BERT encoder. */
export interface BertConfig {
  /** `D` */
  readonly width: number;
  readonly layers: number;
  /** `H`, divides the width. */
  readonly heads: number;
  readonly feedForward: number;
  /** `V` */
  readonly vocabulary: number;
  /** Most tokens of one sequence. */
  readonly positions: number;
  readonly layerNormEps: number;
}

/** Our names and those of Hugging Face's config.json. */
const names: Readonly<Record<keyof BertConfig, string>> = {
  width: "hidden_size",
  layers: "num_hidden_layers",
  heads: "num_attention_heads",
  feedForward: "intermediate_size",
  vocabulary: "vocab_size",
  positions: "max_position_embeddings",
  layerNormEps: "layer_norm_eps",
};

/** What this code computes; a file that says anything else is refused. */
const fixed = { model_type: "bert", hidden_act: "gelu", position_embedding_type: "absolute" } as const;

/**
 * Checks a parsed config.json, with our names or with Hugging Face's.
 *
 * @throws ClaraError "weights" that names the field.
 */
export function parseBertConfig(json: unknown): BertConfig {
  if (typeof json !== "object" || json === null || Array.isArray(json)) fail("the file must be an object");
  const file = json as Record<string, unknown>;
  for (const [name, value] of Object.entries(fixed)) {
    if (file[name] !== undefined && file[name] !== value) {
      fail(
        `${name} must be ${JSON.stringify(value)}, got ${JSON.stringify(file[name])}; other encoders are not built in`,
      );
    }
  }
  const foreign = names.width in file;

  function read(name: keyof BertConfig): number {
    const key = foreign ? names[name] : name;
    const value = file[key];
    const whole = name !== "layerNormEps";
    if (typeof value !== "number" || !(value > 0) || !Number.isFinite(value) || (whole && !Number.isInteger(value))) {
      const found = value === undefined ? "nothing" : JSON.stringify(value);
      fail(`${key} must be a ${whole ? "whole " : ""}number above 0, got ${found}`);
    }
    return value;
  }

  const config: BertConfig = {
    width: read("width"),
    layers: read("layers"),
    heads: read("heads"),
    feedForward: read("feedForward"),
    vocabulary: read("vocabulary"),
    positions: read("positions"),
    layerNormEps: read("layerNormEps"),
  };
  if (config.width % config.heads !== 0) fail(`${config.heads} heads do not divide the width ${config.width}`);
  return config;
}

function fail(problem: string): never {
  throw new ClaraError("weights", `parseBertConfig: config.json: ${problem}`);
}
