import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { ClaraError } from "@clara/core";
import { type ClaraFolder, readClaraFolder } from "../clara-folder.ts";
import { hashOf } from "../model-folder.ts";
import { ioError, writeAtomic } from "../write-atomic.ts";
import type { Inspected } from "./inspect.ts";
import { type Journal, openJournal } from "./journal.ts";
import { lock } from "./lock.ts";
import { readConfig } from "./small-files.ts";
import { fileBytes, writeTensors } from "./write-tensors.ts";

export interface RunImportOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((bytes: number, total: number, part: string) => void) | undefined;
}

export interface FileEntry {
  readonly name: string;
  readonly sha256: string;
  readonly bytes: number;
}

const journalName = "import.jsonl";
const lockName = "import.lock";
const configName = "config.json";

/** What an import would find in the folder that it is to write. */
export type OutState = "new" | "begun" | "done";

/** @throws ClaraError "option" when the folder holds something else. */
export function outState({ plan, files }: Inspected, out: string): OutState {
  const path = join(out, configName);
  if (existsSync(path)) {
    const json = readConfig(path);
    if (json.plan === plan) return "done";
    const what = typeof json.id === "string" ? `the model ${json.id}` : "a model";
    throw new ClaraError(
      "option",
      `--out: ${out} holds ${what} already, made from other files or to another precision; name another folder`,
    );
  }
  if (existsSync(join(out, journalName))) return "begun";
  const foreign = [...files.map(({ name }) => name), "tokenizer.json"].find((name) => existsSync(join(out, name)));
  if (foreign === undefined) return "new";
  throw new ClaraError(
    "option",
    `--out: ${out} holds a file ${foreign}, and nothing is overwritten; name another folder`,
  );
}

/**
 * Writes the model folder, or goes on with it. Its weights are written tensor by tensor under names that end in `.part`, and
 * config.json last: a folder that was cut short holds no model, and knows what it has.
 *
 * @throws ClaraError "option" when the folder holds something else, "io" when it cannot be written or has no room, "weights",
 *   "aborted".
 */
export async function runImport(
  inspected: Inspected,
  out: string,
  { signal, onProgress }: RunImportOptions = {},
): Promise<ClaraFolder> {
  if (outState(inspected, out) === "done") {
    await rm(join(out, journalName), { force: true }); // it was ended just before this
    return readClaraFolder(out, { verify: true });
  }
  await mkdir(out, { recursive: true }).catch((cause: unknown) => {
    throw ioError(out, cause);
  });
  const unlock = lock(join(out, lockName));
  try {
    outState(inspected, out); // again: another may just have ended
    const journal = openJournal(join(out, journalName), inspected.plan);
    try {
      await writeFolder(inspected, out, { journal, signal, onProgress });
    } catch (error) {
      journal.close();
      throw error;
    }
    journal.remove();
  } finally {
    unlock();
  }
  return readClaraFolder(out);
}

type Writing = RunImportOptions & { readonly journal: Journal };

async function writeFolder(inspected: Inspected, out: string, options: Writing): Promise<void> {
  const { name, kind, licence, precision, decoder, clara, rows, tokenizer, plan } = inspected;
  const total = inspected.files.reduce((sum, file) => sum + fileBytes(file), 0);
  await checkRoom(inspected, out, total);
  const weights = await writeWeights(inspected, out, { ...options, total });
  const { template } = tokenizer;
  const files = {
    base: weights[0]!,
    ...(weights[1] && { adapters: weights[1] }),
    tokenizer: entryOf("tokenizer.json", tokenizer.tokenizer),
    tokenizerConfig: entryOf("tokenizer_config.json", tokenizer.config),
    ...(template !== undefined && { chatTemplate: entryOf("chat_template.jinja", new TextEncoder().encode(template)) }),
  };
  for (const file of inspected.files) await moved(join(out, `${file.name}.part`), join(out, file.name));
  await writeAtomic(join(out, files.tokenizer.name), tokenizer.tokenizer);
  await writeAtomic(join(out, files.tokenizerConfig.name), tokenizer.config);
  if (files.chatTemplate) await writeAtomic(join(out, files.chatTemplate.name), template!);
  const content = createHash("sha256").update(JSON.stringify(Object.values(files).map(({ sha256 }) => sha256)));
  const config = {
    id: `${name}+${content.digest("hex").slice(0, 12)}`,
    kind,
    licence,
    precision,
    // Rows behind the vocabulary are those of added tokens.
    decoder: { ...decoder.fields, ...(clara && { vocab_size: rows - clara.memoryTokens - 3 }) },
    ...(clara && { clara }),
    files,
    plan,
  };
  await writeAtomic(join(out, configName), `${JSON.stringify(config, null, 2)}\n`);
}

async function writeWeights(
  { files }: Inspected,
  out: string,
  { journal, total, signal, onProgress }: Writing & { readonly total: number },
): Promise<FileEntry[]> {
  const written: FileEntry[] = [];
  let before = 0;
  for (const file of files) {
    const part = join(out, `${file.name}.part`);
    // A run that ended while it gave the files their names.
    if (!existsSync(part) && existsSync(join(out, file.name))) await moved(join(out, file.name), part);
    const earlier = before;
    const entry = await writeTensors(part, file, {
      journal,
      signal,
      onProgress: (bytes, name) => onProgress?.(earlier + bytes, total, name),
    });
    written.push({ name: file.name, ...entry });
    before += entry.bytes;
  }
  return written;
}

/** A full disk is better known before hours than after. */
async function checkRoom({ files }: Inspected, out: string, total: number): Promise<void> {
  const sizes = files
    .flatMap(({ name }) => [name, `${name}.part`])
    .map((name) => stat(join(out, name)).catch(() => undefined));
  const there = (await Promise.all(sizes)).reduce((sum, found) => sum + (found?.size ?? 0), 0);
  const room = await statfs(out).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => Number.POSITIVE_INFINITY, // not every file system tells
  );
  if (total - there <= room) return;
  const gb = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new ClaraError(
    "io",
    `${out}: the model takes ${gb(total)}, and the disk has ${gb(room)} left; make room, or use --quantize int4`,
  );
}

async function moved(from: string, to: string): Promise<void> {
  await rename(from, to).catch((cause: unknown) => {
    throw ioError(to, cause);
  });
}

function entryOf(name: string, bytes: Uint8Array): FileEntry {
  return { name, sha256: hashOf(bytes), bytes: bytes.length };
}
