import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { ClaraError } from "@clara/core";
import {
  adapterTensors,
  type DecoderConfig,
  type NamedTensor,
  openTorchFile,
  type StoredTorchTensor,
} from "@clara/model";
import {
  adapterNames,
  memoryTokensOf,
  parseReferenceConfig,
  type ReferenceConfig,
  type Role,
  referenceConfig,
} from "@clara/train";
import { type FileSource, openSource } from "./file-source.ts";
import { checkShape, type FloatTensor, torchFloat } from "./float-tensor.ts";
import { explained } from "./stored-decoder.ts";

const adaptersFile = "adapters.pth";
const tablesFile = "decoder_first_last_layers.pth";
const wordsName = "model.embed_tokens.weight";
const headName = "lm_head.weight";
/** What the libraries around it write into its config.json. */
const idle = ["transformers_version", "_attn_implementation_autoset", "architectures", "torch_dtype", "dtype"];
/** Most memory tokens that a tokenizer takes. */
const mostMemoryTokens = 4096;

/** A CLaRa checkpoint as published, checked, of which no number has been read. */
export interface ClaraCheckpoint {
  readonly folder: string;
  readonly config: ReferenceConfig;
  /** `M` */
  readonly memoryTokens: number;
  readonly unknownFields: readonly string[];
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  /** All that there are, whatever the stage. */
  readonly adapters: readonly {
    readonly role: Role;
    /** As the reference calls it. */
    readonly name: string;
    readonly tensors: readonly (NamedTensor & { readonly stored: FloatTensor })[];
  }[];
  /** [rows, D] each: the base model's, and behind them those of the added tokens. */
  readonly words: FloatTensor;
  readonly head: FloatTensor;
  readonly rows: number;
  close(): void;
}

/** @throws ClaraError "weights" when files are missing, and as `parseReferenceConfig`. */
export function readClaraConfig(
  folder: string,
  json: Readonly<Record<string, unknown>>,
): Pick<ClaraCheckpoint, "config" | "memoryTokens" | "unknownFields"> {
  const path = join(folder, "config.json");
  const config = explained(path, () => parseReferenceConfig(json));
  const memoryTokens = memoryTokensOf(config);
  if (memoryTokens > mostMemoryTokens) {
    const { documentTokens, rate } = config;
    throw new ClaraError(
      "weights",
      `${path}: doc_max_length ${documentTokens} at compr_rate ${rate} makes ${memoryTokens} memory tokens; at most ${mostMemoryTokens} can be`,
    );
  }
  const known = new Set([...Object.keys(referenceConfig(config, { base: "" })), ...idle]);
  return { config, memoryTokens, unknownFields: Object.keys(json).filter((name) => !known.has(name)) };
}

/**
 * Opens the files of a checkpoint beside its base's config.
 *
 * @throws ClaraError "weights" that names the file and the tensor, when something is missing, cut, damaged or of another base.
 */
export function openClaraCheckpoint(
  folder: string,
  json: Readonly<Record<string, unknown>>,
  decoder: DecoderConfig,
): ClaraCheckpoint {
  const missing = [adaptersFile, tablesFile].filter((name) => !existsSync(join(folder, name)));
  if (missing.length > 0) {
    throw new ClaraError("weights", `${folder}: ${missing.join(" and ")} missing; copy the checkpoint again, whole`);
  }
  const read = readClaraConfig(folder, json);
  const opened: FileSource[] = [];
  const close = (): void => {
    for (const source of opened.splice(0)) source.close();
  };
  const open = (name: string): Record<string, StoredTorchTensor> => {
    const source = openSource(join(folder, name));
    opened.push(source);
    return explained(source.path, () => openTorchFile(source));
  };
  try {
    const stored = open(adaptersFile);
    const tables = open(tablesFile);
    const files = opened.map(({ path, size }) => ({ name: basename(path), bytes: size }));
    const table = (name: string): FloatTensor => {
      if (!Object.hasOwn(tables, name)) {
        throw new ClaraError("weights", `${join(folder, tablesFile)}: has no ${name}; is it of a CLaRa checkpoint?`);
      }
      return torchOf(join(folder, tablesFile), name, tables[name]!);
    };
    const words = table(wordsName);
    // The reference stores one table where the base's head is its table.
    const head = decoder.tiedHead && !Object.hasOwn(tables, headName) ? words : table(headName);
    const [rows = 0] = words.shape;
    const other = "were the adapters made for another base model?";
    checkShape(words, [rows, decoder.width], other);
    checkShape(head, [rows, decoder.width], "both tables have one shape");
    const adapters = adaptersOf(join(folder, adaptersFile), stored, { decoder, rank: read.config.rank, rows });
    return { folder, ...read, files, adapters, words, head, rows, close };
  } catch (error) {
    close();
    throw error;
  }
}

function adaptersOf(
  path: string,
  stored: Readonly<Record<string, StoredTorchTensor>>,
  { decoder, rank, rows }: { decoder: DecoderConfig; rank: number; rows: number },
): ClaraCheckpoint["adapters"] {
  const roles = Object.entries(adapterNames) as [Role, string][];
  const needed = adapterTensors(decoder, rank);
  const wanted = new Set(needed.map(({ name }) => name));
  for (const [name, tensor] of Object.entries(stored)) {
    const [adapter = "", ...rest] = name.split("/");
    const bare = rest.join("/");
    if (!roles.some(([, known]) => known === adapter)) {
      throw new ClaraError("weights", `${path}: has "${name}"; adapters are ${roles.map(([, of]) => of).join(", ")}`);
    }
    // The reference stores copies of the tables beside adapters that were made with new tokens.
    if (bare === wordsName || bare === headName) {
      checkShape(torchOf(path, name, tensor), [rows, decoder.width], "are the files of one checkpoint?");
    } else if (!wanted.has(bare)) {
      throw new ClaraError(
        "weights",
        `${path}: has "${name}", which is no matrix of an adapter of this base (${decoder.layers} layers); was it made for another?`,
      );
    }
  }
  const found = roles.flatMap(([role, name]) => {
    if (!Object.keys(stored).some((key) => key.startsWith(`${name}/`) && key.includes(".lora_"))) return [];
    const tensors = needed.map((tensor) => {
      const key = `${name}/${tensor.name}`;
      if (!Object.hasOwn(stored, key)) {
        throw new ClaraError(
          "weights",
          `${path}: ${name} has no ${tensor.name}; was it made for another base model, or is the file of another checkpoint?`,
        );
      }
      const own = torchOf(path, key, stored[key]!);
      checkShape(own, tensor.shape, `by lora_r ${rank} and the base's sizes; were they made for another base model?`);
      return { ...tensor, stored: own };
    });
    return [{ role, name, tensors }];
  });
  if (!found.some(({ role }) => role === "compressor")) {
    throw new ClaraError("weights", `${path}: has no ${adapterNames.compressor}, which every stage trains`);
  }
  return found;
}

function torchOf(path: string, name: string, stored: StoredTorchTensor): FloatTensor {
  const tensor = torchFloat(`${path}: ${name}`, stored);
  return { ...tensor, open: () => explained(path, tensor.open) };
}
