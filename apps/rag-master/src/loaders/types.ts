import type { Document, Scalar } from "@clara/core";

/** A file to load. */
export interface FoundFile {
  /** Absolute. */
  readonly path: string;
  /** Relative to the path that was given, with `/`; unique among the files found together. Becomes the document's id. */
  readonly id: string;
  readonly bytes: number;
}

/** What was not read, and why, in words for people. */
export interface Skip {
  readonly path: string;
  readonly reason: string;
  /** A folder or file that is there and cannot be read now: what it holds is not gone. */
  readonly unreadable?: true;
}

/**
 * A slice of the extracted text that the splitter may not look beyond.
 *
 * Blocks are in order and do not overlap. Sections start with their heading line, so that a heading can be quoted.
 */
export interface Block {
  /** UTF-16 offsets into the extracted text, end exclusive. */
  readonly start: number;
  readonly end: number;
  /** Headings above, outermost first; a sheet's name, a PDF's page. */
  readonly heading: readonly string[];
  /** A `record` (a row, a JSON object) is one passage, never cut and never joined; `prose` may be both. */
  readonly kind: "prose" | "record";
  /** Prose that means little in parts, such as a code block: cut only when it is too long for one passage. */
  readonly keepWhole?: boolean;
}

/** What a reader of one file type makes of a file. */
export interface Extracted {
  readonly text: string;
  readonly blocks: readonly Block[];
  /** The file's own title, when it has one. */
  readonly title?: string | undefined;
  /** Losses and guesses worth telling: "3 rows have more or fewer cells than the header". */
  readonly notes?: readonly string[];
  readonly metadata?: Readonly<Record<string, Scalar>>;
}

/** A file that cannot be used, and why. */
export interface Skipped {
  readonly skip: string;
}

/** A file as a document, with its blocks and what was lost or guessed on the way. */
export interface Loaded {
  readonly document: Document;
  readonly blocks: readonly Block[];
  readonly notes: readonly string[];
}
