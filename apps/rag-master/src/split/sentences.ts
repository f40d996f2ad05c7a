/** UTF-16 offsets, end exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const segmenter = new Intl.Segmenter("en", { granularity: "sentence" });

// A list item, table row, quote or heading starts a line of its own; other line ends are where an editor wrapped.
const STARTS_LINE = /^[ \t]*(?:[-*+•◦‣>|#]|\*\*|\(?(?:\d{1,4}|[a-zA-Z])[.)][ \t])/;
// Two spaces or a backslash end a line in Markdown; a colon ends one before a list.
const ENDS_LINE = /(?: {2}|\\|:)$/;
// What ends with a full stop without ending a sentence.
const ABBREVIATION =
  /(?:^|[\s(["'])(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|Mt|No|Nos|Fig|Figs|Eq|Sec|Ch|Vol|pp?|vs|etc|al|cf|ca|approx|incl|excl|max|min|Inc|Ltd|Co|Corp|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|(?:[A-Za-z]\.)+[A-Za-z])\.\s*$/;
// The longest abbreviation with the character before it and white space after.
const TAIL = 16;

/** The sentences of text[start, end), in order, together all of it; a line of a list is a sentence, a wrapped line is not. */
export function sentences(text: string, start: number, end: number): Span[] {
  const spans: Span[] = [];
  for (const unit of wrappedLines(text, start, end)) {
    // The segmenter ends a sentence at every line end: it gets spaces, one for one, so that offsets stay.
    const flat = text.slice(unit.start, unit.end).replace(/[\r\n\u2028\u2029\u0085]/g, " ");
    let from = 0;
    let piece = 0;
    for (const { index, segment } of segmenter.segment(flat)) {
      const to = index + segment.length;
      piece = to;
      if (to < flat.length && continues(flat, from, to)) continue;
      spans.push({ start: unit.start + from, end: unit.start + to });
      from = to;
    }
    if (from < piece) spans.push({ start: unit.start + from, end: unit.start + piece });
  }
  return spans;
}

function continues(flat: string, from: number, to: number): boolean {
  const tail = flat.slice(Math.max(from, to - TAIL), to);
  if (ABBREVIATION.test(tail)) return true;
  // "1.7", split after its point by nobody but a segmenter; and a sentence never starts in lower case.
  return /\d\.$/.test(tail)
    ? /^\d/.test(flat.slice(to, to + 1))
    : /^\p{Ll}/u.test(flat.slice(to, to + 2)) && /[.]\s*$/.test(tail);
}

/** Groups of lines that belong together: a line and those an editor wrapped off it. */
function wrappedLines(text: string, start: number, end: number): Span[] {
  const units: Span[] = [];
  let unitStart = start;
  let lineStart = start;
  while (lineStart < end) {
    const feed = nextLine(text, lineStart, end);
    const line = text.slice(lineStart, feed).replace(/[\r\n]+$/, "");
    const isLast = feed >= end;
    if (isLast || ENDS_LINE.test(line) || STARTS_LINE.test(text.slice(feed, Math.min(feed + 40, end)))) {
      units.push({ start: unitStart, end: feed });
      unitStart = feed;
    }
    lineStart = feed;
  }
  return units;
}

/** The offset after the next line end (LF, CRLF or CR), or `end`. */
export function nextLine(text: string, from: number, end: number): number {
  for (let i = from; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code === 10) return i + 1;
    if (code === 13 && text.charCodeAt(i + 1) !== 10) return i + 1;
  }
  return end;
}
