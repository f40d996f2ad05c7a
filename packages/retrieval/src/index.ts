export { type Analyzer, englishAnalyzer } from "./analyzer.ts";
// For those who write a retriever: the checks and the bookkeeping that all of ours share.
export { checkSearch } from "./check.ts";
export { compileFilter, type Filterable } from "./filter.ts";
export {
  type FusionOptions,
  type RankedLists,
  type RrfOptions,
  rrfFusion,
  unionFusion,
  type WeightedOptions,
  weightedFusion,
} from "./fusion.ts";
export { type Entry, type Plan, planBatch, receipt } from "./ledger.ts";
export { type Bm25Options, type Bm25Retriever, bm25 } from "./retrievers/bm25.ts";
export { type ExactOptions, exact } from "./retrievers/exact.ts";
export { type HnswOptions, type HnswRetriever, hnsw } from "./retrievers/hnsw.ts";
export { type Fusion, type HybridOptions, hybrid, type Side } from "./retrievers/hybrid.ts";
export { type MakeRetriever, retrievers } from "./retrievers/index.ts";
export { type WinkOptions, wink } from "./retrievers/wink.ts";
export { type TopK, topK } from "./top-k.ts";
