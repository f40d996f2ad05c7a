import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { ClaraError } from "@clara/core";
import { writeAtomic } from "./write-atomic.ts";

/** A model as it lies in a folder: `config.json`, which names the two other files and knows their sha256. */
export interface ModelFolder {
  /** Name and the start of the weights' sha256. */
  readonly id: string;
  /** config.json, parsed. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Bytes of the safetensors file. */
  readonly weights: Uint8Array;
  /** Bytes of tokenizer.json. */
  readonly tokenizer: Uint8Array;
}

export interface NewModelFolder extends Pick<ModelFolder, "weights" | "tokenizer"> {
  /** Of the model, and of its weights file: letters, digits, `-`, `_` and dots. */
  readonly name: string;
  /** What config.json says besides `id` and `files`, which are made anew: the model's shape. */
  readonly config: Readonly<Record<string, unknown>>;
}

interface FileEntry {
  readonly name: string;
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * Reads a model folder, sha256 verified: a truncated or altered file must never reach the engine.
 *
 * @throws ClaraError "weights" when a file is missing, damaged or not what config.json says.
 */
export async function readModelFolder(folder: string): Promise<ModelFolder> {
  const path = join(folder, "config.json");
  const config = parseConfig(path, await readOrExplain(path, "a model folder has a config.json"));
  const { id, files } = config;
  if (typeof id !== "string" || id === "" || !isRecord(files)) {
    throw new ClaraError("weights", `${path}: is no model's: it needs "id" and "files", as \`train\` writes them`);
  }
  const [weights, tokenizer] = await Promise.all([
    readChecked(folder, path, files, "weights"),
    readChecked(folder, path, files, "tokenizer"),
  ]);
  return { id, config, weights, tokenizer };
}

/**
 * Writes a model folder. config.json comes last, so that a folder that is cut short holds the model it held before, or
 * none, and never half of one.
 *
 * @param folder made when it is missing; other files in it are left alone.
 * @throws ClaraError "option" for a name that is no file name, "io" when the file system refuses.
 */
export async function writeModelFolder(
  folder: string,
  { name, config, weights, tokenizer }: NewModelFolder,
): Promise<ModelFolder> {
  if (!/^[\w.-]+$/.test(name) || /^\.+$/.test(name)) {
    throw new ClaraError(
      "option",
      `writeModelFolder: the name must be of letters, digits, dots, - and _, got "${name}"`,
    );
  }
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw new ClaraError("io", `${folder}: cannot be made: ${(cause as Error).message}; name another folder`, {
      cause,
    });
  });
  const sha256 = hashOf(weights);
  const path = join(folder, "config.json");
  const old = await weightsNamedBy(path);
  // Beside the weights of the model that is replaced, which must stay whole until config.json names the new ones.
  const file = old === `${name}.safetensors` ? `${name}-${sha256.slice(0, 8)}.safetensors` : `${name}.safetensors`;
  const files = {
    weights: { name: file, sha256, bytes: weights.length },
    tokenizer: { name: "tokenizer.json", sha256: hashOf(tokenizer), bytes: tokenizer.length },
  };
  const { id: _, files: __, ...shape } = config;
  const id = `${name}+${sha256.slice(0, 12)}`;
  const written = { id, ...shape, files };
  await writeAtomic(join(folder, file), weights);
  await writeAtomic(join(folder, "tokenizer.json"), tokenizer);
  await writeAtomic(path, `${JSON.stringify(written, null, 2)}\n`);
  if (old !== undefined && old !== file) await rm(join(folder, old), { force: true });
  return { id, config: written, weights, tokenizer };
}

export function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function readChecked(
  folder: string,
  path: string,
  files: Readonly<Record<string, unknown>>,
  kind: "weights" | "tokenizer",
): Promise<Uint8Array> {
  const entry = files[kind];
  // A name with a path in it could lead anywhere.
  if (!isEntry(entry) || basename(entry.name) !== entry.name) {
    throw new ClaraError("weights", `${path}: files.${kind} needs the name of a file beside it, sha256 and bytes`);
  }
  const file = join(folder, entry.name);
  const bytes = await readOrExplain(file, `${path} names it`);
  const sha256 = hashOf(bytes);
  if (sha256 !== entry.sha256) {
    throw new ClaraError(
      "weights",
      `${file}: sha256 is ${sha256}, expected ${entry.sha256} (${bytes.length} bytes found, ${entry.bytes} expected): ` +
        "the file is damaged or another model's; copy the folder again",
    );
  }
  return bytes;
}

async function readOrExplain(path: string, why: string): Promise<Uint8Array> {
  return readFile(path).catch((cause: unknown) => {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    const what = missing ? "no such file" : `cannot be read: ${(cause as Error).message}`;
    throw new ClaraError("weights", `${path}: ${what}; ${why}`, { cause });
  });
}

function parseConfig(path: string, bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const config: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (isRecord(config)) return config;
  } catch (cause) {
    throw new ClaraError("weights", `${path}: is not JSON: ${(cause as Error).message}`, { cause });
  }
  throw new ClaraError("weights", `${path}: must be a JSON object`);
}

/** The weights file of the model that is there already, if there is one. */
async function weightsNamedBy(path: string): Promise<string | undefined> {
  if (!existsSync(path)) return undefined;
  const { files } = parseConfig(path, await readFile(path));
  const entry = isRecord(files) ? files.weights : undefined;
  return isEntry(entry) && basename(entry.name) === entry.name ? entry.name : undefined;
}

function isEntry(value: unknown): value is FileEntry {
  return isRecord(value) && typeof value.name === "string" && typeof value.sha256 === "string";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
