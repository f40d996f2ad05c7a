import { memoryBytes } from "@clara/pack";
import type { Corpus } from "../corpus.ts";

/** Bytes that these passages' memories take in a pack, what every pack's file begins with left out. The one place that knows. */
export function storedBytes(corpus: Corpus, passages: readonly string[]): number {
  return memoryBytes(passages.map((id) => corpus.memory(id))) - memoryBytes([]);
}
