import { createHash } from "node:crypto";
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { ClaraError } from "@clara/core";
import type { Role } from "@clara/train";
import { checkTable } from "./check-tables.ts";
import { type ClaraCheckpoint, openClaraCheckpoint, readClaraConfig } from "./clara-checkpoint.ts";
import { type DecoderFolder, openDecoderFolder } from "./decoder-folder.ts";
import { licenceOf } from "./licence.ts";
import { baseParts, type Precision, wholePart } from "./plan.ts";
import { readConfig } from "./small-files.ts";
import { claraTokenizerFiles, decoderTokenizerFiles, type TokenizerFiles } from "./tokenizer-files.ts";
import type { PlannedFile } from "./write-tensors.ts";

/** alpha / R of all adapters, as the reference makes them; no file says so. */
const loraScale = 2;

/** What config.json of the model folder says of a CLaRa. */
export interface ClaraSettings {
  /** Tokens of the longest document. */
  readonly documentTokens: number;
  readonly rate: number;
  /** `M` */
  readonly memoryTokens: number;
  /** Documents in a prompt, as trained. */
  readonly documents: number;
  readonly loraScale: number;
  readonly stage: string;
  /** Adapters that there are. */
  readonly adapters: readonly Role[];
}

/** What a folder holds, checked, and what it is to become. Nothing has been written. */
export interface Inspected {
  /** Of the model: letters, digits, `-`, `_` and dots. */
  readonly name: string;
  readonly kind: "clara" | "decoder";
  readonly folder: string;
  readonly base: string;
  readonly precision: Precision;
  readonly decoder: DecoderFolder;
  readonly checkpoint: ClaraCheckpoint | undefined;
  readonly clara: ClaraSettings | undefined;
  /** Rows of the table of words, added tokens included. */
  readonly rows: number;
  /** As the folders state it; null: nothing is said. */
  readonly licence: { readonly checkpoint?: string | null; readonly base: string | null };
  readonly tokenizer: TokenizerFiles;
  readonly files: readonly PlannedFile[];
  /** Linear maps that stay whole, as their rows are no whole blocks. */
  readonly whole: readonly string[];
  /** Of everything that decides what is written. */
  readonly plan: string;
  close(): void;
}

/**
 * Looks at a folder and its base: all but the numbers themselves is checked here.
 *
 * @throws ClaraError "option" when --base is missing or one too many, "weights" for what cannot be imported, and why.
 */
export function inspect(
  folder: string,
  { base, precision }: { readonly base?: string | undefined; readonly precision: Precision },
): Inspected {
  const json = readConfigOrHelp(folder);
  if (json.model_type !== "CLaRa") {
    if (base !== undefined) {
      throw new ClaraError(
        "option",
        `--base: ${folder} is a decoder itself; leave --base out, or name a CLaRa checkpoint`,
      );
    }
    return inspectDecoder(folder, precision);
  }
  readClaraConfig(folder, json); // what is wrong with it shows before the base is asked for
  if (base === undefined) {
    const named =
      typeof json.decoder_model_name === "string" ? ` (its config.json names ${json.decoder_model_name})` : "";
    throw new ClaraError(
      "option",
      `import: ${folder} is a CLaRa checkpoint, of which the base model is no part; name the base's folder by --base DIR${named}`,
    );
  }
  return inspectClara(folder, json, base, precision);
}

/**
 * Reads the tables of a checkpoint beside those of its base.
 *
 * @throws ClaraError "weights" when the adapters were made for another base model, "aborted".
 */
export async function checkTables({ checkpoint, decoder, clara }: Inspected, signal?: AbortSignal): Promise<void> {
  if (!checkpoint || !clara) return;
  const shared = checkpoint.rows - clara.memoryTokens - 3;
  await checkTable(checkpoint.words, decoder.tensors.get("words")!.stored, shared, signal);
  const head = decoder.tensors.get("head")?.stored;
  if (head) await checkTable(checkpoint.head, head, shared, signal);
  // The base has one table for both: so must the checkpoint.
  else await checkTable(checkpoint.head, checkpoint.words, checkpoint.rows, signal);
}

function inspectDecoder(folder: string, precision: Precision): Inspected {
  const tokenizer = decoderTokenizerFiles(folder);
  const decoder = openDecoderFolder(folder);
  const parts = baseParts([...decoder.tensors.values()], precision, decoder.config.tiedHead);
  const files = [{ name: "base.safetensors", parts }];
  return {
    ...{ name: nameOf(folder, precision), kind: "decoder", folder, base: folder, precision, decoder, tokenizer, files },
    ...{ checkpoint: undefined, clara: undefined, rows: decoder.rows },
    licence: { base: licenceOf(folder) },
    whole: wholeMaps(files[0]!, precision),
    plan: planOf(precision, [join(folder, "config.json"), ...tokenizer.from, ...pathsOf(decoder)]),
    close: decoder.close,
  };
}

function inspectClara(
  folder: string,
  json: Readonly<Record<string, unknown>>,
  base: string,
  precision: Precision,
): Inspected {
  if (readConfigOrHelp(base).model_type === "CLaRa") {
    throw new ClaraError(
      "option",
      `--base: ${base} is a CLaRa checkpoint too; name the folder of the model it was made on`,
    );
  }
  const plain = decoderTokenizerFiles(base);
  const decoder = openDecoderFolder(base);
  let checkpoint: ClaraCheckpoint | undefined;
  const close = (): void => {
    decoder.close();
    checkpoint?.close();
  };
  try {
    checkpoint = openClaraCheckpoint(folder, json, decoder.config);
    const { rows, config, memoryTokens, words, head, adapters } = checkpoint;
    if (rows - memoryTokens - 3 > decoder.rows || rows < memoryTokens + 4) {
      const needed = `${decoder.rows} of the base model, ${memoryTokens} memory tokens and 3 more`;
      throw new ClaraError(
        "weights",
        `${words.where}: has ${rows} rows, expected ${decoder.rows + memoryTokens + 3} (${needed}); is it the right base model and rate?`,
      );
    }
    const tokenizer = claraTokenizerFiles(plain, folder, { memoryTokens, rows });
    // The checkpoint's tables take the place of the base's.
    const replaced = new Map([
      ["words", words],
      ["head", head],
    ]);
    const own = [...decoder.tensors.values()].map((tensor) => ({
      ...tensor,
      stored: replaced.get(tensor.path) ?? tensor.stored,
    }));
    const adapterParts = adapters.flatMap(({ role, tensors }) =>
      tensors.map(({ path, turned, stored }) => wholePart(`${role}.${path}`, turned, stored)),
    );
    const files = [
      { name: "base.safetensors", parts: baseParts(own, precision, decoder.config.tiedHead) },
      { name: "adapters.safetensors", parts: adapterParts },
    ];
    const { documentTokens, rate, documents, stage } = config;
    const roles = adapters.map(({ role }) => role);
    const paths = [folder, base].map((of) => join(of, "config.json"));
    const read = checkpoint.files.map(({ name }) => join(folder, name));
    return {
      ...{
        name: nameOf(folder, precision),
        kind: "clara",
        folder,
        base,
        precision,
        decoder,
        checkpoint,
        rows,
        tokenizer,
      },
      clara: { documentTokens, rate, memoryTokens, documents, loraScale, stage, adapters: roles },
      licence: { checkpoint: licenceOf(folder), base: licenceOf(base) },
      files,
      whole: wholeMaps(files[0]!, precision),
      plan: planOf(precision, [...paths, ...tokenizer.from, ...pathsOf(decoder), ...read]),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function readConfigOrHelp(folder: string): Readonly<Record<string, unknown>> {
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) throw new ClaraError("weights", `${folder}: ${stat ? "is no folder" : "no such folder"}`);
  const path = join(folder, "config.json");
  if (existsSync(path)) {
    const json = readConfig(path);
    if (typeof json.id === "string" && typeof json.files === "object") {
      throw new ClaraError("option", `${folder}: is a model folder of ours already; name it as compression.model`);
    }
    return json;
  }
  const below = readdirSync(folder).filter((name) => existsSync(join(folder, name, "config.json")));
  const hint = below.length > 0 ? `; there is one in ${below.slice(0, 5).join(", ")}: name that folder` : "";
  throw new ClaraError("weights", `${path}: no such file, so this is no model's folder${hint}`);
}

function wholeMaps({ parts }: PlannedFile, precision: Precision): string[] {
  if (precision === "float32") return [];
  const isMap = (path: string): boolean => path === "head" || path.endsWith(".weight");
  return parts.filter(({ name, tensors }) => isMap(name) && tensors.length === 1).map(({ name }) => name);
}

function pathsOf({ folder, files }: DecoderFolder): string[] {
  return files.map(({ name }) => join(folder, name));
}

/** The same files, by name, size and time of change, to the same precision. */
function planOf(precision: Precision, paths: readonly string[]): string {
  const files = paths.map((path) => {
    const { size, mtimeMs } = statSync(path);
    return [resolve(path), size, mtimeMs];
  });
  return createHash("sha256")
    .update(JSON.stringify({ format: 2, precision, files }))
    .digest("hex");
}

function nameOf(folder: string, precision: Precision): string {
  const path = resolve(folder);
  const own = /^compression-\d+$/.test(basename(path))
    ? `${basename(dirname(path))}-${basename(path)}`
    : basename(path);
  const name = own.replace(/[^\w.-]+/g, "-").replace(/^\.+/, "") || "model";
  return precision === "float32" ? name : `${name}-${precision}`;
}
