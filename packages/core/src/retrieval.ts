import type { Passage, Scalar } from "./documents.ts";

/** What a retriever and a generator are given: the words, and what the compressor makes of them where vectors take part. */
export interface Query {
  readonly text: string;
  /** [d]: the question in the space of the memories. */
  readonly vector?: Float32Array;
  /** [U, D]: the states of its tokens, for readers of memories. */
  readonly states?: Float32Array;
}

/** A passage id with its score. Scores are finite and higher is better. */
export interface Hit {
  readonly id: string;
  readonly score: number;
  /** 1 for the best. */
  readonly rank: number;
  /** Name of the retriever. */
  readonly source: string;
  /** Rank and score in each list that a fused hit came from. */
  readonly from?: Readonly<Record<string, { readonly rank: number; readonly score: number }>>;
}

export type ScoreKind = "bm25" | "cosine" | "rrf" | "weighted";

export type FilterOperator = "eq" | "ne" | "in" | "lt" | "lte" | "gt" | "gte" | "exists";

/** Fields are the passage's metadata, and `document`. */
export type Filter =
  | { readonly and: readonly Filter[] }
  | { readonly or: readonly Filter[] }
  | { readonly not: Filter }
  | { readonly ids: readonly string[] }
  | { readonly field: string; readonly op: FilterOperator; readonly value?: Scalar | readonly Scalar[] };

export interface SearchOptions {
  /** Hits wanted, at least 1. */
  readonly k: number;
  readonly filter?: Filter;
  readonly signal?: AbortSignal;
}

export interface Capabilities {
  /** Reads `query.text`. */
  readonly text: boolean;
  /** Needs `query.vector`. */
  readonly vector: boolean;
  /** `pre`: filters before ranking, so k hits come back when k pass; `none`: a filter is an error. */
  readonly filter: "pre" | "none";
  /** Finds the true best k, not an approximation. */
  readonly exact: boolean;
  readonly scoreKind: ScoreKind;
}

export interface Retriever {
  readonly name: string;
  readonly capabilities: Capabilities;
  /** Best first; equal scores in order of id. At most `k` hits. */
  search(query: Query, options: SearchOptions): Promise<readonly Hit[]>;
}

/** A passage on its way into an index, with its dense key when the index is dense. */
export interface IndexedPassage extends Passage {
  /** [D], the mean of the passage's memory; need not be normalised. */
  readonly vector?: Float32Array;
}

export interface Receipt {
  readonly added: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly deleted: number;
  /** Passages in the index now. */
  readonly total: number;
}

export interface Batch {
  readonly upsert?: readonly IndexedPassage[];
  readonly delete?: readonly string[];
}

export interface WritableRetriever extends Retriever {
  /** All or nothing: a batch with a bad member changes nothing. Deleting an unknown id is not an error. */
  apply(batch: Batch): Promise<Receipt>;
  close(): Promise<void>;
}
