import { ClaraError, type Weights } from "@clara/core";
import { readTorchFile, type TorchInput, writeTorchFile } from "@clara/model";
import { adapterNames, type Role } from "../clara/clara-params.ts";
import { memoryTokensOf, parseReferenceConfig, type ReferenceConfig, referenceConfig } from "./checkpoint-config.ts";

/** Tensors with the type that they have, or shall have, in a file. */
export type TypedWeights = Readonly<Record<string, TorchInput>>;

export interface ReferenceCheckpoint {
  readonly config: ReferenceConfig;
  /**
   * By PEFT's names, `model.layers.0.self_attn.q_proj.lora_A.weight` [R, I]: what `adapterArrays` reads and `adapterWeights`
   * gives.
   */
  readonly adapters: Readonly<Partial<Record<Role, TypedWeights>>>;
  /**
   * `model.embed_tokens.weight` and `lm_head.weight`, both [V + M + 3, D]: they take the place of the base model's, whose
   * first V rows they repeat. Over a base whose head is its table both are that table.
   */
  readonly tables: TypedWeights;
}

export interface ReferenceFiles {
  /** config.json, parsed. */
  readonly config: unknown;
  /** The bytes of adapters.pth. */
  readonly adapters: Uint8Array;
  /** The bytes of decoder_first_last_layers.pth. */
  readonly tables: Uint8Array;
}

const tableNames = ["model.embed_tokens.weight", "lm_head.weight"] as const;

/**
 * A checkpoint of the reference's trainer, checked: every adapter that is there is read, whatever the stage, and copies of the
 * tables among the adapters are left out. The tokenizer files of its folder are not the model's; use the base model's.
 *
 * @param options.vocabulary `V` of the base model, when known: the tables must have V + M + 3 rows
 * @param options.tiedHead whether the base's head is its table: the reference stores one of them then. @default false
 * @throws ClaraError "weights" when a file is damaged or they do not fit together.
 */
export function readReferenceCheckpoint(
  { config: json, adapters, tables: tableBytes }: ReferenceFiles,
  { vocabulary, tiedHead = false }: { readonly vocabulary?: number; readonly tiedHead?: boolean } = {},
): ReferenceCheckpoint {
  const config = parseReferenceConfig(json);
  const [wordsName, headName] = tableNames;
  const found = readTorchFile(tableBytes);
  const alone = tiedHead && !found[headName] ? found[wordsName] : undefined;
  const tables = alone ? { ...found, [headName]: alone } : found;
  const rows = checkTables(tables, config, vocabulary);
  const stored = Object.entries(readTorchFile(adapters));
  const roles = Object.entries(adapterNames) as [Role, string][];
  const unknown = stored.find(([name]) => !roles.some(([, adapter]) => name.startsWith(`${adapter}/`)));
  if (unknown)
    fail(`adapters.pth has ${JSON.stringify(unknown[0])}; adapters are ${Object.values(adapterNames).join(", ")}`);
  const own = roles.flatMap(([role, adapter]) => {
    const tensors = stored.flatMap(([name, tensor]) => {
      const bare = name.slice(adapter.length + 1);
      return name.startsWith(`${adapter}/`) && !isTable(bare) ? [[bare, tensor] as const] : [];
    });
    for (const [name, { shape }] of tensors) checkRank(`${adapter}/${name}`, shape, config.rank);
    return tensors.length > 0 ? [[role, Object.fromEntries(tensors)] as const] : [];
  });
  for (const [name, { shape }] of stored) {
    if (isTable(name.slice(name.indexOf("/") + 1)) && shape[0] !== rows) {
      fail(
        `the copy of a table in adapters.pth has ${shape[0]} rows, the table ${rows}; are the files of one checkpoint?`,
      );
    }
  }
  const checkpoint = { config, adapters: Object.fromEntries(own), tables };
  if (!("compressor" in checkpoint.adapters))
    fail(`adapters.pth has no ${adapterNames.compressor}, which every stage trains`);
  return checkpoint;
}

export interface WriteReferenceOptions {
  /** The base model as the machine that will load the checkpoint knows it: a folder or a name. */
  readonly base: string;
  /** Type of all tensors. @default each tensor's own, "F32" where it has none */
  readonly dtype?: TorchInput["dtype"];
}

/**
 * The files of a checkpoint folder that the reference loads, by name. Beside them it needs the tokenizer files of the base
 * model, and its own modeling_clara.py when it is loaded by `AutoModel`.
 *
 * @throws ClaraError "weights" when the parts do not fit together, "unsupported" above 4 GB in a file.
 */
export function writeReferenceCheckpoint(
  { config, adapters, tables }: ReferenceCheckpoint,
  { base, dtype }: WriteReferenceOptions,
): Readonly<Record<"config.json" | "adapters.pth" | "decoder_first_last_layers.pth", Uint8Array<ArrayBuffer>>> {
  checkTables(tables, config, undefined);
  const typed = (weights: TypedWeights | Weights, prefix = ""): Record<string, TorchInput> =>
    Object.fromEntries(
      Object.entries(weights).map(([name, tensor]) => [`${prefix}${name}`, dtype ? { ...tensor, dtype } : tensor]),
    );
  // The reference's files have the generator first.
  const order: readonly Role[] = ["generator", "compressor", "query"];
  const parts = order.map((role) => typed(adapters[role] ?? {}, `${adapterNames[role]}/`));
  for (const [name, { shape }] of parts.flatMap((part) => Object.entries(part))) checkRank(name, shape, config.rank);
  const text = `${JSON.stringify(referenceConfig(config, { base }), null, 2)}\n`;
  return {
    "config.json": new TextEncoder().encode(text),
    "adapters.pth": writeTorchFile(Object.assign({}, ...parts), { name: "adapters" }),
    "decoder_first_last_layers.pth": writeTorchFile(typed(tables), { name: "decoder_first_last_layers" }),
  };
}

function checkTables(tables: TypedWeights, config: ReferenceConfig, vocabulary: number | undefined): number {
  const [words, head] = tableNames.map((name) => tables[name]);
  if (!words || !head) fail(`decoder_first_last_layers.pth must have ${tableNames.join(" and ")}`);
  const [rows = 0, width] = words.shape;
  if (words.shape.length !== 2 || head.shape.length !== 2 || head.shape[0] !== rows || head.shape[1] !== width) {
    fail(`the tables must be matrices of one shape, got [${words.shape.join(", ")}] and [${head.shape.join(", ")}]`);
  }
  const added = memoryTokensOf(config) + 3;
  if (vocabulary !== undefined && rows !== vocabulary + added) {
    const needed = `${vocabulary} of the base model, ${added - 3} memory tokens and 3 more`;
    fail(
      `the tables have ${rows} rows, expected ${vocabulary + added} (${needed}); is it the right base model and rate?`,
    );
  }
  return rows;
}

function checkRank(name: string, shape: readonly number[], rank: number): void {
  const found = name.endsWith("lora_A.weight") ? shape[0] : name.endsWith("lora_B.weight") ? shape[1] : undefined;
  if (found === undefined || shape.length !== 2)
    fail(`adapters.pth has ${JSON.stringify(name)}, which is no LoRA matrix`);
  if (found !== rank) fail(`${JSON.stringify(name)} has rank ${found}, config.json says lora_r ${rank}`);
}

function isTable(name: string): boolean {
  return (tableNames as readonly string[]).includes(name);
}

function fail(problem: string): never {
  throw new ClaraError("weights", `readReferenceCheckpoint: ${problem}`);
}
