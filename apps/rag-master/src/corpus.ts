import { type MemoryBits, meanKey, type QuantizedMemory, quantizeMemory } from "@clara/compressor";
import type { Document, Memory, Passage, WritableRetriever } from "@clara/core";
import type { Pack } from "@clara/pack";
import { type Bm25Retriever, bm25, exact, hnsw } from "@clara/retrieval";

/** What questions are asked of: passages, their memories, and the indexes over both. */
export interface Corpus {
  readonly size: number;
  /** Of all passages. */
  readonly ids: readonly string[];
  document(id: string): Document;
  passage(id: string): Passage;
  /** As a pack keeps it, so that answers, and measures of them, are the same with and without a pack. */
  memory(id: string): QuantizedMemory;
  readonly sparse: Bm25Retriever;
  readonly dense: WritableRetriever;
}

/** @param options.dense an empty index for the search keys, which are derived from the memories. @default exact() */
export async function corpusOfPack(
  pack: Pack,
  { dense = exact() }: { readonly dense?: WritableRetriever } = {},
): Promise<Corpus> {
  const passages = [...pack.passages.values()];
  await dense.apply({ upsert: passages.map((passage) => ({ ...passage, vector: meanKey(pack.memory(passage.id)) })) });
  return {
    size: passages.length,
    ids: passages.map(({ id }) => id),
    document: (id) => pack.documents.get(id)!,
    passage: (id) => pack.passages.get(id)!,
    memory: (id) => pack.memory(id),
    sparse: pack.sparse,
    dense,
  };
}

/**
 * A corpus that lives in memory: documents given with a question, records of an evaluation.
 *
 * @param bits in which memories are kept: those of the model, as in a pack
 */
export async function corpusOf(
  documents: readonly Document[],
  passages: readonly Passage[],
  memories: readonly Memory[],
  bits: MemoryBits,
): Promise<Corpus> {
  const documentOf = new Map(documents.map((document) => [document.id, document]));
  const passageOf = new Map(passages.map((passage) => [passage.id, passage]));
  const memoryOf = new Map(passages.map(({ id }, index) => [id, quantizeMemory(memories[index]!, { bits })]));
  const sparse = bm25();
  const dense = passages.length > 2000 ? hnsw() : exact();
  const upsert = passages.map((passage) => ({ ...passage, vector: meanKey(memoryOf.get(passage.id)!) }));
  await Promise.all([sparse.apply({ upsert }), dense.apply({ upsert })]);
  return {
    size: passages.length,
    ids: passages.map(({ id }) => id),
    document: (id) => documentOf.get(id)!,
    passage: (id) => passageOf.get(id)!,
    memory: (id) => memoryOf.get(id)!,
    sparse,
    dense,
  };
}
