import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { throwIfAborted } from "@clara/core";
import { safetensorsHeader } from "@clara/model";
import { ioError } from "../write-atomic.ts";
import type { Journal } from "./journal.ts";

/** What one tensor of the source becomes: one tensor, or a packed one and its scales. */
export interface PlannedPart {
  /** For the journal and for people. */
  readonly name: string;
  readonly tensors: readonly {
    readonly name: string;
    readonly dtype: "F32" | "I32";
    readonly shape: readonly number[];
  }[];
  /** Their bytes, one after the other; computed as they are asked for. */
  pieces(): Iterable<Uint8Array>;
}

/** A safetensors file to be written. */
export interface PlannedFile {
  readonly name: string;
  readonly parts: readonly PlannedPart[];
}

export interface WriteTensorsOptions {
  readonly journal: Journal;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of this file that are there, and the part that they belong to. */
  readonly onProgress?: ((bytes: number, part: string) => void) | undefined;
}

/** Bytes that are read back at once. */
const readBytes = 2 ** 22;

export function partBytes({ tensors }: PlannedPart): number {
  return tensors.reduce((sum, { shape }) => sum + 4 * shape.reduce((size, count) => size * count, 1), 0);
}

export function fileBytes({ parts }: PlannedFile): number {
  return headerOf(parts).length + parts.reduce((sum, part) => sum + partBytes(part), 0);
}

/**
 * Writes a safetensors file part by part, in the memory of a piece. Parts that an earlier run has written are read back: those
 * that are what the journal says are kept, and the file goes on behind them. Equal plans give equal bytes.
 *
 * @throws ClaraError "io" when the file system refuses, "aborted", and what making the pieces throws. What was written stays.
 */
export async function writeTensors(
  path: string,
  { name, parts }: PlannedFile,
  { journal, signal, onProgress }: WriteTensorsOptions,
): Promise<{ sha256: string; bytes: number }> {
  const header = headerOf(parts);
  const done = new Map(journal.done.filter(({ file }) => file === name).map(({ part, sha256 }) => [part, sha256]));
  const file = await attempt(path, () => open(path, done.size > 0 ? "r+" : "w+").catch(() => open(path, "w+")));
  try {
    const kept = await keep(file, header, parts, done, signal);
    let { at } = kept;
    const { hash } = kept;
    onProgress?.(at, "");
    await attempt(path, () => file.truncate(at));
    const put = async (bytes: Uint8Array): Promise<void> => {
      hash.update(bytes);
      for (let from = 0; from < bytes.length; ) {
        const { bytesWritten } = await attempt(path, () => file.write(bytes, from, bytes.length - from, at));
        from += bytesWritten;
        at += bytesWritten;
      }
    };
    if (at === 0) await put(header);
    for (const part of parts.slice(kept.parts)) {
      const own = createHash("sha256");
      for (const piece of part.pieces()) {
        throwIfAborted(signal, "import");
        own.update(piece);
        await put(piece);
        onProgress?.(at, part.name);
      }
      journal.add({ file: name, part: part.name, sha256: own.digest("hex") });
    }
    await attempt(path, () => file.sync());
    return { sha256: hash.digest("hex"), bytes: at };
  } finally {
    await file.close();
  }
}

/** How many parts at the beginning of the file are whole, where they end, and the hash of all up to there. */
async function keep(
  file: FileHandle,
  header: Uint8Array,
  parts: readonly PlannedPart[],
  done: ReadonlyMap<string, string>,
  signal: AbortSignal | undefined,
): Promise<{ parts: number; at: number; hash: Hash }> {
  const none = { parts: 0, at: 0, hash: createHash("sha256") };
  const start = new Uint8Array(header.length);
  if (!(await fill(file, start, 0)) || Buffer.compare(start, header) !== 0) return none;
  let hash = createHash("sha256").update(header);
  let at = header.length;
  for (const [i, part] of parts.entries()) {
    const [whole, own] = [hash.copy(), createHash("sha256")];
    const end = at + partBytes(part);
    let there = done.has(part.name);
    for (let from = at; there && from < end; from += readBytes) {
      throwIfAborted(signal, "import");
      const bytes = new Uint8Array(Math.min(readBytes, end - from));
      there = await fill(file, bytes, from);
      whole.update(bytes);
      own.update(bytes);
    }
    if (!there || own.digest("hex") !== done.get(part.name)) return { parts: i, at, hash };
    hash = whole;
    at = end;
  }
  return { parts: parts.length, at, hash };
}

/** False when the file ends before. */
async function fill(file: FileHandle, bytes: Uint8Array, position: number): Promise<boolean> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, position + at);
    if (bytesRead === 0) return false;
    at += bytesRead;
  }
  return true;
}

function headerOf(parts: readonly PlannedPart[]): Uint8Array {
  return safetensorsHeader(
    parts.flatMap(({ tensors }) => tensors),
    { format: "clara" },
  );
}

async function attempt<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw ioError(path, cause);
  }
}
