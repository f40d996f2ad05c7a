import { createHash } from "node:crypto";
import { type FileHandle, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ClaraError } from "@clara/core";
import type { PackFile } from "./types.ts";

/** Puts bytes at the end of an open file; the place where a full disk shows. */
export type Write = (file: FileHandle, bytes: Uint8Array) => Promise<void>;

export const writeToDisk: Write = async (file, bytes) => {
  await file.writeFile(bytes);
};

export const kinds = ["documents", "passages", "memories", "bm25"] as const;
export type Kind = (typeof kinds)[number];

const endings: Readonly<Record<Kind, string>> = {
  documents: "jsonl",
  passages: "jsonl",
  memories: "bin",
  bm25: "bin",
};

/** Also what version 1 wrote: it goes with its generation. */
const ours: Readonly<Record<string, string>> = { ...endings, keys: "f32" };

export function fileName(kind: Kind, generation: number): string {
  return `${kind}-${generation}.${endings[kind]}`;
}

/** The generation in a name of ours, finished or not; undefined for every other file. */
export function generationOf(name: string): number | undefined {
  const match = /^([a-z0-9]+)-(\d{1,15})\.([a-z0-9]+)(?:\.tmp)?$/.exec(name);
  return match && Object.hasOwn(ours, match[1]!) && ours[match[1]!] === match[3] ? Number(match[2]) : undefined;
}

/**
 * Writes one file whole: temporary name, fsync, rename. The name exists only with all its bytes.
 *
 * @returns its entry for the manifest
 */
export async function writeFile(
  directory: string,
  name: string,
  chunks: Iterable<Uint8Array>,
  write: Write,
): Promise<PackFile> {
  const temporary = join(directory, `${name}.tmp`);
  const hash = createHash("sha256");
  let bytes = 0;
  const file = await open(temporary, "w");
  try {
    for (const chunk of pieces(chunks)) {
      await write(file, chunk);
      hash.update(chunk);
      bytes += chunk.byteLength;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(directory, name));
  return { name, bytes, sha256: hash.digest("hex") };
}

/** Small chunks joined to about a mebibyte: one write for each would take most of the time. */
function* pieces(chunks: Iterable<Uint8Array>): Generator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let size = 0;
  for (const chunk of chunks) {
    waiting.push(chunk);
    size += chunk.byteLength;
    if (size < 1 << 20) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(waiting);
}

/** Makes renames in the directory last through a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  // Windows has no such call: opening a directory fails there.
  if (process.platform === "win32") return;
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes our files for which `unwanted` holds; never a file with another's name. */
export async function removeGenerations(directory: string, unwanted: (generation: number) => boolean): Promise<void> {
  for (const name of await readdir(directory)) {
    const generation = generationOf(name);
    if (generation !== undefined && unwanted(generation)) await rm(join(directory, name), { force: true });
  }
}

/** Reads a file into memory of its own (so that views into it are aligned), with its sha256 when wanted. */
export async function readFile(
  path: string,
  hashed: boolean,
): Promise<{ bytes: Uint8Array; sha256: string | undefined }> {
  const hash = hashed ? createHash("sha256") : undefined;
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const bytes = new Uint8Array(size);
    let at = 0;
    while (at < size) {
      // One read takes 2 GiB at most; smaller pieces also keep the event loop alive while hashing.
      const { bytesRead } = await file.read(bytes, at, Math.min(size - at, 1 << 24), at);
      if (bytesRead === 0) break;
      hash?.update(bytes.subarray(at, at + bytesRead));
      at += bytesRead;
    }
    return { bytes: bytes.subarray(0, at), sha256: hash?.digest("hex") };
  } finally {
    await file.close();
  }
}

export function errorCode(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

/** The file system's refusal as an error of ours; errors of ours stay as they are. */
export function ioError(where: string, error: unknown, todo: string): ClaraError {
  if (error instanceof ClaraError) return error;
  const { code = "", message = String(error) } = (error ?? {}) as NodeJS.ErrnoException;
  const full = code === "ENOSPC" || code === "EDQUOT" ? "the disk is full: " : "";
  return new ClaraError("io", `${where}: ${full}${message}; ${todo}`, { cause: error });
}
