import type { Document, Passage, Quote } from "@clara/core";
import { lineOf } from "./loaders/index.ts";

/** A quote with its place in the document: `document.text.slice(start, end) === quote` when verified. */
export interface Citation {
  readonly passage: string;
  readonly document: string;
  readonly title: string;
  readonly quote: string;
  /** UTF-16 offsets into the document's extracted text, end exclusive. */
  readonly start: number;
  readonly end: number;
  /** Line of the extracted text, from 1. */
  readonly line: number;
  readonly verified: boolean;
}

/**
 * Turns a quoted answer into a citation: the sentence or table cell around it, checked against the document itself.
 *
 * The check is on purpose independent of how the quote was made: a generator that invents text or slips an offset gives
 * `verified: false`, and the citation rail refuses.
 */
export function cite(quote: Quote, passage: Passage, document: Document): Citation {
  const slice = passage.start + quote.start;
  const holds =
    passage.document === document.id &&
    quote.text.length > 0 &&
    quote.end - quote.start === quote.text.length &&
    quote.start >= 0 &&
    slice + quote.text.length <= passage.end &&
    document.text.slice(slice, slice + quote.text.length) === quote.text;
  const around = holds ? clauseAround(passage.text, quote.start, quote.end) : quote;
  const start = passage.start + around.start;
  const end = passage.start + around.end;
  return {
    passage: passage.id,
    document: document.id,
    title: document.title,
    quote: holds ? document.text.slice(start, end) : quote.text,
    start,
    end,
    line: lineOf(document.text, start),
    verified: holds,
  };
}

/** Longest quote in UTF-16 units; a longer sentence is cut at words around the answer. */
const longest = 280;
const sentences = new Intl.Segmenter("en", { granularity: "sentence" });

/** The sentence, line or table cell that holds an answer, as offsets into the same text. */
export function clauseAround(text: string, start: number, end: number): { start: number; end: number } {
  let from = 0;
  let to = text.length;
  for (const { index, segment } of sentences.segment(text)) {
    if (index <= start) from = index;
    if (index + segment.length >= end) {
      to = index + segment.length;
      break;
    }
  }
  from = Math.max(from, text.slice(0, start).lastIndexOf("\n") + 1);
  const line = text.indexOf("\n", end);
  if (line >= 0) to = Math.min(to, line);
  if (to - from > longest) {
    const spare = Math.max(0, Math.floor((longest - (end - start)) / 2));
    from = Math.max(from, start - spare);
    to = Math.min(to, end + spare);
    while (from > 0 && from < start && !/\s/.test(text[from - 1]!)) from += 1;
    while (to < text.length && to > end && !/\s/.test(text[to]!)) to -= 1;
  }
  while (from < start && /\s/.test(text[from]!)) from += 1;
  while (to > end && /\s/.test(text[to - 1]!)) to -= 1;
  return { start: from, end: to };
}
