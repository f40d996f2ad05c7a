export type Scalar = string | number | boolean;

/** A file or record as text. Offsets everywhere in Clara point into `text`. */
export interface Document {
  /** Path relative to the indexed folder, with `/`; unique in a pack. */
  readonly id: string;
  readonly title: string;
  /** The extracted text, kept in the pack. */
  readonly text: string;
  /** sha256 of the source's bytes, hex: decides whether it must be indexed again. */
  readonly hash: string;
  readonly metadata: Readonly<Record<string, Scalar>>;
}

/** The piece of a document that is retrieved. `text === document.text.slice(start, end)`, always. */
export interface Passage {
  readonly id: string;
  /** Id of the document it is a slice of. */
  readonly document: string;
  /** What a reader of the slice alone would miss: the document's title, the headings above. May be empty. */
  readonly title: string;
  readonly text: string;
  /** UTF-16 offsets into the document's text, end exclusive. */
  readonly start: number;
  readonly end: number;
  readonly metadata: Readonly<Record<string, Scalar>>;
}

/** All memory tokens of one passage. */
export interface Memory {
  /** Tokens averaged into one memory token, 1 to 256. */
  readonly rate: number;
  /** Memory tokens `M`. */
  readonly count: number;
  /** Model width `D`. */
  readonly width: number;
  /** [M, D], row-major. */
  readonly vectors: Float32Array;
  /** [M] tokens behind each vector: `rate`, fewer for the last one. Weights of the mean key. */
  readonly tokens: Uint16Array;
  /** [M, 2] UTF-16 offsets into the passage's text that each vector covers; start === end when it covers the title only. */
  readonly spans: Uint32Array;
}

/** float32 tensors by their checkpoint names, as a safetensors file holds them. */
export type Weights = Readonly<Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>>;
