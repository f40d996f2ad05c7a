import type { Document, Passage } from "@clara/core";
import { type BeirSet, mean, ndcgAt, percentile, recallAt, reciprocalRank } from "@clara/evaluation";
import type { RagConfig } from "./config/index.ts";
import { type Corpus, corpusOf } from "./corpus.ts";
import type { Model } from "./model.ts";
import { type SearchName, searchCorpus } from "./search-corpus.ts";

export interface RetrievalSummary {
  readonly n: number;
  readonly retriever: string;
  readonly ndcg: Readonly<Record<"10", number>>;
  readonly recall: Readonly<Record<"1" | "3" | "5" | "12" | "25" | "100", number>>;
  readonly mrr: Readonly<Record<"10", number>>;
  readonly ms: { readonly p50: number; readonly p95: number };
}

/** A retrieval set as a corpus: every document one passage, whatever its length. */
export async function corpusOfBeir(
  { corpus }: BeirSet,
  model: Model,
  rate: number,
  options: { onProgress?: (done: number, total: number) => void; signal?: AbortSignal },
): Promise<Corpus> {
  const documents = corpus.map(({ id, title, text }): Document => ({ id, title, text, hash: id, metadata: {} }));
  const passages = documents.map(
    ({ id, title, text }): Passage => ({ id, document: id, title, text, start: 0, end: text.length, metadata: {} }),
  );
  const memories = await model.compressor.compress(passages, { rate, ...options });
  return corpusOf(documents, passages, memories, model.memoryBits);
}

/** Measures one way of searching over a BEIR set. `ms` is per question, the question's encoding included. */
export async function evaluateRetrieval(
  name: SearchName,
  { queries, qrels }: BeirSet,
  corpus: Corpus,
  model: Model,
  config: RagConfig,
  {
    k = 100,
    onProgress,
    signal,
  }: { k?: number; onProgress?: (done: number, total: number) => void; signal?: AbortSignal } = {},
): Promise<RetrievalSummary> {
  const times: number[] = [];
  const rankings: { ids: string[]; relevant: ReadonlyMap<string, number> }[] = [];
  for (const [index, { id, text }] of queries.entries()) {
    signal?.throwIfAborted();
    const started = performance.now();
    const hits = await searchCorpus(name, text, corpus, model, config, k);
    times.push(performance.now() - started);
    rankings.push({ ids: hits.map((hit) => hit.id), relevant: qrels.get(id)! });
    onProgress?.(index + 1, queries.length);
  }
  const average = (measure: (ids: string[], relevant: ReadonlyMap<string, number>) => number) =>
    Number(mean(rankings.map(({ ids, relevant }) => measure(ids, relevant))).toFixed(4));
  const recall = (cut: number) => average((ids, relevant) => recallAt(ids, relevant, cut));
  return {
    n: rankings.length,
    retriever: name,
    ndcg: { 10: average((ids, relevant) => ndcgAt(ids, relevant, 10)) },
    recall: { 1: recall(1), 3: recall(3), 5: recall(5), 12: recall(12), 25: recall(25), 100: recall(100) },
    mrr: { 10: average((ids, relevant) => reciprocalRank(ids, relevant, 10)) },
    ms: { p50: Number(percentile(times, 50).toFixed(2)), p95: Number(percentile(times, 95).toFixed(2)) },
  };
}
