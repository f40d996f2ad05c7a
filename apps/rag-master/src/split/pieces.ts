import { nextLine, type Span, sentences } from "./sentences.ts";

/** Counts the tokens of a text, without those a model adds around it. */
export type CountTokens = (text: string) => number;

/** A part of the text that goes into one passage, or is divided when it does not fit. No white space at its ends. */
export interface Piece extends Span {
  /** Infinity for a piece that is certainly too long and was not counted. */
  readonly tokens: number;
  /** The same text in smaller pieces; absent for what must stay together. */
  readonly parts?: () => Piece[];
  /** Its parts are sentences, so that dividing it without need does no harm. */
  readonly isParagraph?: boolean;
}

// No tokenizer needs as few as one token for this many characters of prose; longer texts are divided without counting,
// so that the counter never sees a whole book.
const CHARACTERS_PER_TOKEN = 20;

interface Context {
  readonly text: string;
  readonly count: CountTokens;
  readonly maxTokens: number;
}

/** Prose as paragraphs, each of which divides into sentences, then words, then characters. */
export function paragraphPieces(context: Context, start: number, end: number): Piece[] {
  const pieces = toPieces(context, paragraphs(context.text, start, end), sentencePieces);
  return pieces.map((piece) => ({ ...piece, isParagraph: true }));
}

/** Code or a table: one piece when it fits into a passage, else one that divides into lines. */
export function wholePieces(context: Context, start: number, end: number): Piece[] {
  const pieces = toPieces(context, [{ start, end }], linePieces);
  return pieces.map((piece) =>
    piece.tokens > context.maxTokens ? piece : { start: piece.start, end: piece.end, tokens: piece.tokens },
  );
}

function sentencePieces(context: Context, { start, end }: Span): Piece[] {
  return toPieces(context, sentences(context.text, start, end), wordPieces);
}

function linePieces(context: Context, { start, end }: Span): Piece[] {
  const lines: Span[] = [];
  for (let from = start; from < end; ) {
    const to = nextLine(context.text, from, end);
    lines.push({ start: from, end: to });
    from = to;
  }
  return toPieces(context, lines, wordPieces);
}

function wordPieces(context: Context, { start, end }: Span): Piece[] {
  const words: Span[] = [];
  const pattern = /\S+/g;
  const part = context.text.slice(start, end);
  for (let match = pattern.exec(part); match; match = pattern.exec(part)) {
    words.push({ start: start + match.index, end: start + pattern.lastIndex });
  }
  return toPieces(context, words, characterPieces);
}

/** Two halves, each divided again when it must be: Chinese without spaces, base64, a very long link. */
function characterPieces(context: Context, { start, end }: Span): Piece[] {
  let middle = (start + end) >> 1;
  if (isLowSurrogate(context.text.charCodeAt(middle))) middle++;
  // One character is as small as it gets, whatever it counts.
  if (middle >= end) return [{ start, end, tokens: context.maxTokens }];
  const halves = [
    { start, end: middle },
    { start: middle, end },
  ];
  return toPieces(context, halves, characterPieces);
}

function toPieces(
  context: Context,
  spans: readonly Span[],
  divide: (context: Context, span: Span) => Piece[],
): Piece[] {
  const pieces: Piece[] = [];
  for (const untrimmed of spans) {
    const span = trim(context.text, untrimmed);
    if (span.start >= span.end) continue;
    const tooLong = span.end - span.start > context.maxTokens * CHARACTERS_PER_TOKEN;
    const tokens = tooLong ? Number.POSITIVE_INFINITY : context.count(context.text.slice(span.start, span.end));
    pieces.push({ ...span, tokens, parts: () => divide(context, span) });
  }
  return pieces;
}

/** The paragraphs of text[start, end): what blank lines separate. */
function paragraphs(text: string, start: number, end: number): Span[] {
  const spans: Span[] = [];
  let from = start;
  for (let at = start; at < end; ) {
    const next = nextLine(text, at, end);
    if (text.slice(at, next).trim() === "") {
      spans.push({ start: from, end: at });
      from = next;
    }
    at = next;
  }
  spans.push({ start: from, end });
  return spans;
}

/** The span without white space at its ends. */
export function trim(text: string, { start, end }: Span): Span {
  const part = text.slice(start, end);
  const trimmed = part.trimStart();
  const from = end - trimmed.length;
  return { start: from, end: from + trimmed.trimEnd().length };
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
