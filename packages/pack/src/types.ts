import type { Document, Passage, WritableRetriever } from "@clara/core";
import type { Bm25Retriever } from "@clara/retrieval";

/** What made the memories and indexes. A program with another identity cannot read them. */
export interface PackIdentity {
  /** Name and version of the compressor. */
  readonly model: string;
  readonly tokenizer: string;
  /** Id of the analyzer behind the BM25 index. */
  readonly analyzer: string;
  /** Tokens averaged into one memory token. */
  readonly rate: number;
  /** Model width `D`. */
  readonly width: number;
}

/** The memory of one passage in eight bits: vector m is `values[m·D … (m+1)·D] · scales[m]`. */
export interface QuantizedMemory {
  /** Tokens averaged into one memory token. */
  readonly rate: number;
  /** Memory tokens `M`. */
  readonly count: number;
  /** Model width `D`. */
  readonly width: number;
  /** [M, D], row-major. */
  readonly values: Int8Array;
  /** [M] */
  readonly scales: Float32Array;
  /** [M] tokens behind each vector. */
  readonly tokens: Uint16Array;
  /** [M, 2] UTF-16 offsets into the passage's text. */
  readonly spans: Uint32Array;
}

/** What a pack holds, before it is written. */
export interface PackContent {
  readonly documents: readonly Document[];
  /** Each a slice of one of the documents. */
  readonly passages: readonly Passage[];
  /** By passage id: one for each passage, or none at all where compression is off. */
  readonly memories: ReadonlyMap<string, QuantizedMemory>;
  /** [D] by passage id: one for each passage, or none at all. */
  readonly keys: ReadonlyMap<string, Float32Array>;
}

export interface PackFile {
  readonly name: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

/** `manifest.json`: the one file that says which others belong to the pack. */
export interface Manifest {
  readonly format: "clara-pack";
  readonly version: 1;
  /** 1 for the first commit, one more for each further one; part of the files' names. */
  readonly generation: number;
  readonly identity: PackIdentity;
  readonly counts: {
    readonly documents: number;
    readonly passages: number;
    readonly memoryTokens: number;
    /** UTF-8 bytes of the documents' texts. */
    readonly textBytes: number;
  };
  readonly files: readonly PackFile[];
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** The program that wrote it. */
  readonly createdBy?: string;
  /** Of everything above, hex. */
  readonly sha256: string;
}

/** An open pack: everything is in memory, and the files may be replaced under it. */
export interface Pack {
  readonly directory: string;
  readonly manifest: Manifest;
  readonly identity: PackIdentity;
  readonly documents: ReadonlyMap<string, Document>;
  readonly passages: ReadonlyMap<string, Passage>;
  /** A view, not a copy: leave it as it is. @throws ClaraError "pack" for a passage without a memory. */
  memory(passage: string): QuantizedMemory;
  /** [D], a view. @throws ClaraError "pack" for a passage without a key. */
  key(passage: string): Float32Array;
  /** BM25 over the passages, as they were written. Changing it does not change the pack. */
  readonly sparse: Bm25Retriever;
  /** Cosine over the keys. Empty where the pack has no keys. */
  readonly dense: WritableRetriever;
  /** Frees what the retrievers hold. */
  close(): Promise<void>;
}
