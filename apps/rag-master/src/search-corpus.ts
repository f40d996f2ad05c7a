import type { QueryStates } from "@clara/compressor";
import { ClaraError, type Hit } from "@clara/core";
import { englishAnalyzer } from "@clara/retrieval";
import { hybridOf } from "./answer.ts";
import type { RagConfig } from "./config/index.ts";
import type { Corpus } from "./corpus.ts";
import type { Model } from "./model.ts";
import { overlapWith } from "./overlap.ts";
import { rerank } from "./rerank.ts";

/**
 * Names of `--retriever`: one index, every passage by how close its memory is, the indexes' union, or the union
 * ordered by the reranker.
 */
export const searches = ["bm25", "dense", "memory", "hybrid", "reranked"] as const;
export type SearchName = (typeof searches)[number];

export function searchName(name: string): SearchName {
  const found = searches.find((search) => search === name);
  if (found === undefined)
    throw new ClaraError("option", `--retriever: "${name}" is not known; choose one of ${searches.join(", ")}`);
  return found;
}

/** A passage id, its score on the scale of the search, and its place in each index that found it. */
export type Found = Pick<Hit, "id" | "score" | "from">;

/** Passages for one question, best first; at most 37 where the union takes part. */
export async function searchCorpus(
  name: SearchName,
  question: string,
  corpus: Corpus,
  model: Model,
  config: RagConfig,
  k: number,
): Promise<Found[]> {
  if (name === "bm25") return (await corpus.sparse.search({ text: question }, { k })).map(alone("bm25"));
  const asked = await model.compressor.query(question);
  const query = { text: question, vector: asked.vector };
  if (name === "dense") return (await corpus.dense.search(query, { k })).map(alone("dense"));
  if (name === "memory") return nearest(asked, corpus, model, k);
  const hits = await hybridOf(corpus, config).search(query, { k: name === "hybrid" ? Math.min(k, 37) : 37 });
  if (name === "hybrid") return [...hits];
  const overlap = overlapWith(question, englishAnalyzer, corpus.sparse.idf, corpus.size);
  const candidates = hits.map((hit) => ({ hit, passage: corpus.passage(hit.id), memory: corpus.memory(hit.id) }));
  const { support: fit, closeness } = model;
  const ranked = await rerank(asked, candidates, { k: candidates.length, fit, closeness, overlap });
  return ranked.map(({ passage, score, hit }) => ({ id: passage.id, score, from: hit.from ?? {} }));
}

/** A scan of all memories: a measure of them rather than a way to search many passages. */
function nearest(asked: QueryStates, corpus: Corpus, { closeness }: Model, k: number): Found[] {
  return corpus.ids
    .map((id) => ({ id, score: closeness(asked, corpus.memory(id)) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, k)
    .map(({ id, score }, index) => ({ id, score, from: { memory: { rank: index + 1, score } } }));
}

function alone(name: string): (hit: Hit) => Found {
  return ({ id, score, rank }) => ({ id, score, from: { [name]: { rank, score } } });
}
