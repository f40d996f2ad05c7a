/** A question about a text with the answer's place in it: what a reader is trained on. */
export interface SpanRecord {
  /** Named in errors. */
  readonly id: string;
  readonly question: string;
  readonly text: string;
  /** What the text is a part of. */
  readonly title?: string;
  /** UTF-16 offsets into the text, end exclusive; null when the text does not answer. */
  readonly answer: { readonly start: number; readonly end: number } | null;
  /** Texts of one group are about one subject: where hard examples without an answer come from. */
  readonly group: string;
}
