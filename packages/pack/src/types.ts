import type { Document, Passage } from "@clara/core";
import type { Bm25Retriever } from "@clara/retrieval";

/** What made the memories and indexes. A program with another identity cannot read them. */
export interface PackIdentity {
  /** Id of what makes memories. What only reads them is no part of it: another reader opens the same pack. */
  readonly model: string;
  readonly tokenizer: string;
  /** Id of the analyzer behind the BM25 index. */
  readonly analyzer: string;
  /** Tokens averaged into one memory token. */
  readonly rate: number;
  /** Width `D` of the memories. */
  readonly width: number;
  /** Bits of one number of a memory. */
  readonly bits: 2 | 4 | 8;
}

/** The memory of one passage in whole numbers, as `quantizeMemory` of @clara/compressor makes it. */
export interface QuantizedMemory {
  /** Tokens averaged into one memory token. */
  readonly rate: number;
  /** Memory tokens `M`. */
  readonly count: number;
  readonly width: number;
  /** Of one number. */
  readonly bits: 2 | 4 | 8;
  /** [M, ceil(D·bits / 8)], row-major: the first number of a byte in its lowest bits. */
  readonly values: Int8Array;
  /** [M] what one step of each vector is worth: float16, as its bits. */
  readonly scales: Uint16Array;
  /** [M] tokens behind each vector: `rate`, fewer for the last one. */
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
  readonly version: 2;
  /** 1 for the first commit, one more for each further one; part of the files' names. */
  readonly generation: number;
  readonly identity: PackIdentity;
  readonly counts: {
    readonly documents: number;
    readonly passages: number;
    readonly memoryTokens: number;
    /** Of the memories in their file, whose header is 32 more. Search keys are derived from them and take none. */
    readonly memoryBytes: number;
    /** UTF-8 bytes of the passages' texts, which the memories stand for. */
    readonly passageBytes: number;
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
  /**
   * Its values and scales are views, not copies: leave them as they are. The search key is derived from it.
   *
   * @throws ClaraError "pack" for a passage without a memory.
   */
  memory(passage: string): QuantizedMemory;
  /** BM25 over the passages, as they were written. Changing it does not change the pack. */
  readonly sparse: Bm25Retriever;
  /** Frees what the retriever holds. */
  close(): Promise<void>;
}
