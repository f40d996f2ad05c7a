import { join } from "node:path";
import { ClaraError } from "@clara/core";
import { type DecoderConfig, decoderTensors, type NamedTensor, parseDecoderConfig } from "@clara/model";
import { checkShape, type FloatTensor, storedFloat } from "./float-tensor.ts";
import { readConfig } from "./small-files.ts";
import { explained, openStoredDecoder } from "./stored-decoder.ts";

/** What `parseDecoderConfig` reads of a config.json. */
const used = [
  ...["model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim"],
  ...["intermediate_size", "vocab_size", "rms_norm_eps", "rope_theta", "rope_scaling", "rope_parameters"],
  ...["hidden_act", "attention_bias", "mlp_bias", "tie_word_embeddings"],
  ...["sliding_window", "use_sliding_window", "layer_types"],
];
/** Fields that have no part in what is computed. */
const idle = [
  ...["architectures", "attention_dropout", "bos_token_id", "eos_token_id", "pad_token_id", "dtype", "torch_dtype"],
  ...["initializer_range", "max_position_embeddings", "max_window_layers", "transformers_version", "use_cache"],
  ...["_name_or_path", "pretraining_tp", "_attn_implementation_autoset"],
];

/** A decoder in a folder of Hugging Face's, checked, of which no number has been read. */
export interface DecoderFolder {
  readonly folder: string;
  readonly config: DecoderConfig;
  /** The fields of its config.json that are used. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Fields that are not known here, and so ignored. */
  readonly unknownFields: readonly string[];
  /** Weight files. */
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  /** Rows of the table of words. */
  readonly rows: number;
  /** By our path. */
  readonly tensors: ReadonlyMap<string, NamedTensor & { readonly stored: FloatTensor }>;
  /** Names of tensors that the decoder has no use for. */
  readonly unused: readonly string[];
  close(): void;
}

/**
 * @throws ClaraError "weights" that names the file, and in it the field or the tensor, when one is missing, of another shape or
 *   type, or the files are cut.
 */
export function openDecoderFolder(folder: string): DecoderFolder {
  const path = join(folder, "config.json");
  const json = readConfig(path);
  const config = explained(path, () => parseDecoderConfig(json));
  const stored = openStoredDecoder(folder);
  try {
    const words = stored.tensors["model.embed_tokens.weight"];
    const rows = words?.shape[0] ?? config.vocabulary;
    if (rows < config.vocabulary) {
      throw new ClaraError(
        "weights",
        `${folder}: the table of words has ${rows} rows, and config.json says vocab_size ${config.vocabulary}`,
      );
    }
    const named = decoderTensors(config, rows);
    const missing = named.filter(({ name }) => !Object.hasOwn(stored.tensors, name)).map(({ name }) => name);
    if (missing.length > 0) {
      const more = missing.length > 3 ? ` and ${missing.length - 3} more` : "";
      throw new ClaraError(
        "weights",
        `${folder}: there is no tensor ${missing.slice(0, 3).join(", ")}${more}; are config.json and the weights of one model?`,
      );
    }
    const tensors = named.map((tensor) => {
      const found = storedFloat(`${folder}: ${tensor.name}`, stored.tensors[tensor.name]!);
      checkShape(found, tensor.shape, "are config.json and the weights of one model?");
      return [tensor.path, { ...tensor, stored: found }] as const;
    });
    const wanted = new Set(named.map(({ name }) => name));
    return {
      folder,
      config,
      fields: Object.fromEntries(used.flatMap((name) => (name in json ? [[name, json[name]]] : []))),
      unknownFields: Object.keys(json).filter((name) => !used.includes(name) && !idle.includes(name)),
      files: stored.files,
      rows,
      tensors: new Map(tensors),
      unused: Object.keys(stored.tensors).filter((name) => !wanted.has(name)),
      close: stored.close,
    };
  } catch (error) {
    stored.close();
    throw error;
  }
}
