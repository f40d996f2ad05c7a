export interface Span {
  readonly start: number;
  readonly end: number;
}

const segmenter = new Intl.Segmenter("en", { granularity: "sentence" });
const abbreviation =
  /(?:^|[\s(["'])(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|Mt|Fig|Figs|Eq|Sec|Ch|Vol|pp?|vs|etc|al|cf|ca|approx|incl|excl|max|min|Inc|Ltd|Co|Corp|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|(?:[A-Za-z]\.)+[A-Za-z])\.\s*$/;

/** The sentences of masked[start, end): a full stop after an abbreviation or initial ends none. */
export function sentences(masked: string, start: number, end: number): Span[] {
  const spans: Span[] = [];
  const part = masked.slice(start, end);
  let from = 0;
  for (const { index, segment } of segmenter.segment(part)) {
    const to = index + segment.length;
    const next = part.slice(to, to + 1);
    const open =
      to < part.length && (abbreviation.test(part.slice(Math.max(from, to - 16), to)) || /\p{Ll}/u.test(next));
    if (open) continue;
    if (part.slice(from, to).trim() !== "") spans.push({ start: start + from, end: start + to });
    from = to;
  }
  if (part.slice(from).trim() !== "") spans.push({ start: start + from, end });
  return spans;
}
