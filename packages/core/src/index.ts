export type { Document, Memory, Passage, Scalar, Weights } from "./documents.ts";
export { ClaraError, type ClaraErrorCode, throwIfAborted } from "./errors.ts";
export type { Context, Evidence, Generated, GenerateOptions, Generator, Quote } from "./generation.ts";
export type {
  Batch,
  Capabilities,
  Filter,
  FilterOperator,
  Hit,
  IndexedPassage,
  Query,
  Receipt,
  Retriever,
  ScoreKind,
  SearchOptions,
  WritableRetriever,
} from "./retrieval.ts";
