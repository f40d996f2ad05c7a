import { dequantizeMemory, type QuantizedMemory } from "@clara/compressor";
import type { Document, Memory, Passage, WritableRetriever } from "@clara/core";
import type { Pack } from "@clara/pack";
import type { Bm25Retriever } from "@clara/retrieval";
import { bm25, exact, hnsw } from "@clara/retrieval";

/** What questions are asked of: passages, their memories, and the indexes over both. */
export interface Corpus {
  readonly size: number;
  document(id: string): Document;
  passage(id: string): Passage;
  memory(id: string): Memory;
  readonly sparse: Bm25Retriever;
  readonly dense: WritableRetriever;
}

export function corpusOfPack(pack: Pack): Corpus {
  return {
    size: pack.passages.size,
    document: (id) => pack.documents.get(id)!,
    passage: (id) => pack.passages.get(id)!,
    memory: (id) => dequantizeMemory(pack.memory(id)),
    sparse: pack.sparse,
    dense: pack.dense,
  };
}

/** A corpus that lives in memory: documents given with a question, records of an evaluation. */
export async function corpusOf(
  documents: readonly Document[],
  passages: readonly Passage[],
  memories: readonly Memory[],
  keys: readonly Float32Array[],
): Promise<Corpus> {
  const documentOf = new Map(documents.map((document) => [document.id, document]));
  const passageOf = new Map(passages.map((passage) => [passage.id, passage]));
  const memoryOf = new Map(passages.map(({ id }, index) => [id, memories[index]!]));
  const sparse = bm25();
  const dense = passages.length > 2000 ? hnsw() : exact();
  const upsert = passages.map((passage, index) => ({ ...passage, vector: keys[index]! }));
  await Promise.all([sparse.apply({ upsert }), dense.apply({ upsert })]);
  return {
    size: passages.length,
    document: (id) => documentOf.get(id)!,
    passage: (id) => passageOf.get(id)!,
    memory: (id) => memoryOf.get(id)!,
    sparse,
    dense,
  };
}

export type { QuantizedMemory };
