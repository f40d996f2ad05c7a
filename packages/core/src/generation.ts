import type { Memory } from "./documents.ts";
import type { Query } from "./retrieval.ts";

/** A passage as evidence: its text, and its memory where the context uses it. */
export interface Evidence {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly memory?: Memory;
  /** Calibrated 0–1: how probable it is that the passage supports an answer. 1 when unknown. */
  readonly score: number;
}

/** `memory`: vectors only; `text`: whole passages; `mixed`: the windows that the memory points at, and more where they do not do. */
export type Context = "memory" | "text" | "mixed";

/** A part of an answer that is a slice of one evidence's text. */
export interface Quote {
  /** Id of the evidence. */
  readonly evidence: string;
  /** `evidence.text.slice(start, end)`. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

export interface Generated {
  readonly answer: string;
  readonly quotes: readonly Quote[];
  /** Calibrated 0–1: how probable it is that the answer is right. */
  readonly confidence: number;
  /** Best answer's score minus the no-answer score, in logits; below 0 the model prefers not to answer. */
  readonly margin: number;
  /** Tokens of evidence text there were, and tokens that were read as text. */
  readonly tokens: { readonly text: number; readonly read: number };
  /** The model says that the evidence does not have the answer; `answer` is how it says so. @default false */
  readonly declined?: boolean;
}

export interface GenerateOptions {
  readonly context: Context;
  /** How much of the question's words a text holds, 0–1, rare words counting more. Helps the choice of windows. */
  readonly overlap?: (text: string) => number;
  readonly signal?: AbortSignal;
  /** Called with pieces of the answer in order; joined they are `answer`. */
  readonly onToken?: (piece: string) => void;
}

export interface Generator {
  readonly name: string;
  /** Null when there is nothing to quote at all (no evidence, or no text in it). */
  generate(query: Query, evidence: readonly Evidence[], options: GenerateOptions): Promise<Generated | null>;
}
