import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Document, Passage } from "@clara/core";
import { englishAnalyzer } from "@clara/retrieval";
import type { PackContent, PackIdentity, QuantizedMemory } from "../types.ts";

export const identity: PackIdentity = {
  model: "mini-1",
  tokenizer: "word-piece-1",
  analyzer: englishAnalyzer.id,
  rate: 2,
  width: 3,
};

/** Each text becomes a document, cut in two passages; memories and keys are numbers counted up. */
export function contentOf(
  texts: Readonly<Record<string, string>>,
  { vectors = true }: { vectors?: boolean } = {},
): PackContent {
  const documents: Document[] = [];
  const passages: Passage[] = [];
  const memories = new Map<string, QuantizedMemory>();
  const keys = new Map<string, Float32Array>();
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
      // Odd counts, so that blocks need padding.
      memories.set(passage.id, memoryOf(1 + (passages.length % 3), passages.length));
      keys.set(passage.id, Float32Array.from([passages.length, 1, -0.5]));
    }
  }
  return { documents, passages, memories, keys };
}

function memoryOf(count: number, first: number): QuantizedMemory {
  const up = (length: number): number[] => Array.from({ length }, (_, i) => first + i);
  return {
    rate: 2,
    count,
    width: 3,
    values: Int8Array.from(up(count * 3), (x) => -x),
    scales: Float32Array.from(up(count), (x) => x / 8),
    tokens: Uint16Array.from(up(count)),
    spans: Uint32Array.from(up(count * 2)),
  };
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
