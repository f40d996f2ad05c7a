import { ClaraError } from "@clara/core";
import type { Stage } from "../recipe.ts";
import { referenceStages, stageOf } from "./stage-names.ts";

/** The settings of a checkpoint that decide how it is computed with. */
export interface ReferenceConfig {
  readonly stage: Stage;
  /** Tokens of the longest document. */
  readonly documentTokens: number;
  /** Tokens of a document for each memory token. */
  readonly rate: number;
  /** Of the adapters. */
  readonly rank: number;
  /** Documents in a prompt. */
  readonly documents: number;
}

/** `M`, the memory tokens of every document. */
export function memoryTokensOf({ documentTokens, rate }: Pick<ReferenceConfig, "documentTokens" | "rate">): number {
  return Math.floor(documentTokens / rate);
}

/**
 * Reads a checkpoint's config.json, parsed. Where the base model lies is not taken from it: published files name folders
 * of the machines they were made on.
 *
 * @throws ClaraError "weights" that names the field, also for forms of the model that no published checkpoint has.
 */
export function parseReferenceConfig(json: unknown): ReferenceConfig {
  if (typeof json !== "object" || json === null || Array.isArray(json)) fail("it must be an object");
  const file = json as Record<string, unknown>;
  const count = (name: string): number => {
    const value = file[name];
    if (!Number.isInteger(value) || (value as number) < 1)
      fail(`${name} must be a whole number above 0, got ${shown(value)}`);
    return value as number;
  };
  for (const name of ["lora", "sep", "different_mem_tokens"]) {
    if (file[name] !== true) fail(`${name} must be true, got ${shown(file[name])}; other forms cannot be used`);
  }
  const stage = stageOf(file.training_stage);
  if (!stage) {
    fail(
      `training_stage must be one of ${Object.values(referenceStages).join(", ")}, got ${shown(file.training_stage)}`,
    );
  }
  const config = {
    stage: stage as Stage,
    documentTokens: count("doc_max_length"),
    rate: count("compr_rate"),
    rank: count("lora_r"),
    documents: count("generation_top_k"),
  };
  if (memoryTokensOf(config) < 1) {
    fail(`compr_rate ${config.rate} leaves no memory token of ${config.documentTokens} tokens`);
  }
  return config;
}

/**
 * A config.json with all that the reference writes, to be stringified.
 *
 * @param options.base the base model, a folder or a name, as the machine that loads it knows it
 */
export function referenceConfig(
  { stage, documentTokens, rate, rank, documents }: ReferenceConfig,
  { base }: { readonly base: string },
): Readonly<Record<string, unknown>> {
  return {
    model_type: "CLaRa",
    decoder_model_name: base,
    compr_base_model_name: base,
    compr_model_name: null,
    compr_rate: rate,
    doc_max_length: documentTokens,
    generation_top_k: documents,
    training_stage: referenceStages[stage],
    lora: true,
    lora_r: rank,
    lora_compressor: false,
    lora_r_compressor: rank,
    sep: true,
    different_mem_tokens: true,
    optimize_mem_tokens: true,
    training_form: "both_separately",
    load_adapters: true,
    // Without it the reference drops the generator of stage1_2 when it loads the checkpoint.
    pure_inference: true,
    quantization: "no",
    attn_implementation: null,
    ae_mode: "token",
    compr_n_layers: 5,
    compr_every_n_layer: null,
    compr_rms_norm: false,
    compr_mlp_hidden_dim: 8096,
    compr_use_mlp: false,
    compr_linear_type: "concat",
    kbtc_training: false,
    load_pretrained_checkpoint: false,
    max_new_tokens: 128,
    stage2_retrieval_top_n: 1,
    device_map: null,
    pad_token_id: 2,
    auto_map: { AutoConfig: "modeling_clara.CLaRaConfig", AutoModel: "modeling_clara.CLaRa" },
  };
}

function shown(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 60) ?? "none";
}

function fail(problem: string): never {
  throw new ClaraError("weights", `parseReferenceConfig: config.json: ${problem}`);
}
