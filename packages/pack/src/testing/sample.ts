import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { Document, Passage } from "@clara/core";
import { englishAnalyzer } from "@clara/retrieval";
import type { PackContent, PackIdentity, QuantizedMemory } from "../types.ts";
import { type WritePackOptions, writePack } from "../write-pack.ts";

export const identity: PackIdentity = {
  model: "mini-1",
  tokenizer: "word-piece-1",
  analyzer: englishAnalyzer.id,
  rate: 2,
  width: 3,
  bits: 8,
};

/** Each text becomes a document, cut in two passages; memories are numbers counted up. */
export function contentOf(
  texts: Readonly<Record<string, string>>,
  { vectors = true }: { vectors?: boolean } = {},
): PackContent {
  const documents: Document[] = [];
  const passages: Passage[] = [];
  const memories = new Map<string, QuantizedMemory>();
  for (const [id, text] of Object.entries(texts)) {
    documents.push({ id, title: `About ${id}`, text, hash: `hash of ${text.length}`, metadata: { size: text.length } });
    const middle = Math.floor(text.length / 2);
    for (const [start, end] of [
      [0, middle],
      [middle, text.length],
    ] as const) {
      if (text === "" && passages.at(-1)?.document === id) continue;
      const passage = { id: `${id}#${start === end ? "empty" : start}`, document: id, start, end };
      passages.push({ ...passage, title: id, text: text.slice(start, end), metadata: { first: start === 0 } });
      if (!vectors) continue;
      memories.set(passage.id, memoryOf(1 + (passages.length % 3), passages.length));
    }
  }
  return { documents, passages, memories };
}

function memoryOf(count: number, first: number): QuantizedMemory {
  const up = (length: number): number[] => Array.from({ length }, (_, i) => first + i);
  return {
    rate: 2,
    count,
    width: 3,
    bits: 8,
    values: Int8Array.from(up(count * 3), (x) => -x),
    scales: Uint16Array.from(up(count)),
    tokens: Uint16Array.from(up(count), (_, m) => (m === count - 1 ? 1 + (first % 2) : 2)),
    spans: Uint32Array.from(up(count * 2)),
  };
}

/** Writes; a writer that was killed just as it took the lock is waited for, until its lock counts as stale (five seconds). */
export async function writeWhenFree(folder: string, options: WritePackOptions): Promise<void> {
  for (;;) {
    try {
      await writePack(folder, options);
      return;
    } catch (error) {
      if (!/is being written by process unknown/.test((error as Error).message)) throw error;
      await wait(50);
    }
  }
}

/** Runs `use` with a new folder, and removes it. */
export async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "clara-pack-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
