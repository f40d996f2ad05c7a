import { mkdir, readdir, rm } from "node:fs/promises";
import { endianness } from "node:os";
import { join } from "node:path";
import { ClaraError, throwIfAborted } from "@clara/core";
import { type Analyzer, bm25, englishAnalyzer } from "@clara/retrieval";
import {
  errorCode,
  fileName,
  generationOf,
  ioError,
  type Kind,
  removeGenerations,
  syncDirectory,
  type Write,
  writeFile,
  writeToDisk,
} from "./files.ts";
import { jsonLines } from "./lines.ts";
import { lock } from "./lock.ts";
import { checkReplaceable, manifestName, packVersion, sealed } from "./manifest.ts";
import { checkMemories, memoryBytes, memoryFile } from "./memory-file.ts";
import { checkText, storedPassage } from "./text.ts";
import type { Manifest, PackContent, PackFile, PackIdentity } from "./types.ts";

export interface WritePackOptions {
  readonly identity: PackIdentity;
  readonly content: PackContent;
  /** The program that writes, for the manifest. */
  readonly createdBy?: string;
  /** Its id must be `identity.analyzer`. @default englishAnalyzer */
  readonly analyzer?: Analyzer;
  /** Stops before the commit; the pack stays as it was. */
  readonly signal?: AbortSignal;
}

/**
 * Writes a whole new generation of a pack and makes it the current one in a single step. Whatever happens on the way
 * (full disk, power cut, kill), the folder holds either the old generation or the new one, and opens.
 * Afterwards the old generation's files are deleted; files with other names are never touched.
 *
 * @param directory made when it is missing
 * @returns the new manifest
 * @throws ClaraError "option" or "shape" for content that contradicts itself, "pack" when another process is writing or
 *   the folder belongs to something else, "io" when the file system refuses, "aborted".
 */
export function writePack(directory: string, options: WritePackOptions): Promise<Manifest> {
  return writePackWith(directory, options, writeToDisk);
}

/** `writePack` with the disk as an argument. */
export async function writePackWith(directory: string, options: WritePackOptions, write: Write): Promise<Manifest> {
  const { identity, content, analyzer = englishAnalyzer } = options;
  check(identity, content, analyzer.id);
  const index = bm25({ analyzer });
  await index.apply({ upsert: content.passages });
  const snapshot = index.snapshot();
  await index.close();
  try {
    await mkdir(directory, { recursive: true });
    const release = await lock(directory);
    try {
      return await commit(directory, options, snapshot, write);
    } finally {
      // A lock that cannot be removed is stale as soon as this process ends.
      await release().catch(() => {});
    }
  } catch (error) {
    const code = errorCode(error);
    if (code === "EEXIST" || code === "ENOTDIR") {
      throw new ClaraError(
        "pack",
        `writePack: ${directory} is, or is inside, a file; a pack is a folder: name another`,
        {
          cause: error,
        },
      );
    }
    throw ioError(
      `writePack: ${directory}`,
      error,
      "the pack is as it was before; make room or check the permissions, then try again",
    );
  }
}

async function commit(
  directory: string,
  { identity, content, createdBy, signal }: WritePackOptions,
  snapshot: Uint8Array,
  write: Write,
): Promise<Manifest> {
  const { documents, passages, memories } = content;
  const { model, tokenizer, analyzer, rate, width, bits } = identity;
  const known = (await readdir(directory)).map(generationOf).filter((generation) => generation !== undefined);
  await checkReplaceable(directory, known.length > 0);
  const generation = known.reduce((most, each) => Math.max(most, each), 0) + 1;
  const parts: [Kind, Iterable<Uint8Array>][] = [
    ["documents", jsonLines(documents)],
    ["passages", jsonLines(stored(content))],
    ["memories", memoryFile(memories.size === 0 ? [] : passages.map(({ id }) => memories.get(id)!), identity)],
    ["bm25", [snapshot]],
  ];
  let manifest: Manifest;
  try {
    const files: PackFile[] = [];
    for (const [kind, chunks] of parts) {
      files.push(await writeFile(directory, fileName(kind, generation), abortable(chunks, signal), write));
    }
    await syncDirectory(directory);
    throwIfAborted(signal, "writePack");
    manifest = sealed({
      format: "clara-pack",
      version: packVersion,
      generation,
      identity: { model, tokenizer, analyzer, rate, width, bits },
      counts: {
        documents: documents.length,
        passages: passages.length,
        memoryTokens: [...memories.values()].reduce((sum, { count }) => sum + count, 0),
        memoryBytes: memoryBytes(memories.values()),
        passageBytes: textBytes(passages),
        textBytes: textBytes(documents),
      },
      files,
      createdAt: new Date().toISOString(),
      ...(createdBy !== undefined && { createdBy }),
    });
    // This rename is the commit: before it the old generation is the pack, after it the new one.
    await writeFile(directory, manifestName, [Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)], write);
  } catch (error) {
    await discard(directory, generation).catch(() => {});
    throw error;
  }
  await syncDirectory(directory);
  // Nothing depends on the old files any more; what cannot be deleted now goes with the next commit.
  await removeGenerations(directory, (each) => each !== generation).catch(() => {});
  return manifest;
}

function textBytes(texts: readonly { readonly text: string }[]): number {
  return texts.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
}

function* stored({ passages }: PackContent): Generator<unknown> {
  for (const passage of passages) yield storedPassage(passage);
}

function* abortable(chunks: Iterable<Uint8Array>, signal: AbortSignal | undefined): Generator<Uint8Array> {
  for (const chunk of chunks) {
    throwIfAborted(signal, "writePack");
    yield chunk;
  }
}

async function discard(directory: string, generation: number): Promise<void> {
  await removeGenerations(directory, (each) => each === generation);
  await rm(join(directory, `${manifestName}.tmp`), { force: true });
}

function check(identity: PackIdentity, content: PackContent, analyzer: string): void {
  if (endianness() !== "LE") throw new ClaraError("unsupported", "writePack: needs a little-endian machine");
  for (const name of ["rate", "width"] as const) {
    if (!Number.isInteger(identity[name]) || identity[name] < 1) {
      throw new ClaraError(
        "option",
        `writePack: identity.${name} must be a whole number from 1, got ${identity[name]}`,
      );
    }
  }
  if (![2, 4, 8].includes(identity.bits))
    throw new ClaraError("option", `writePack: identity.bits must be 2, 4 or 8, got ${identity.bits}`);
  if (identity.analyzer !== analyzer) {
    throw new ClaraError(
      "option",
      `writePack: identity.analyzer must be the analyzer's id "${analyzer}", got "${identity.analyzer}"`,
    );
  }
  checkText(content.documents, content.passages);
  checkMemories(content, identity);
}
