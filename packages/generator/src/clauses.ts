/** Where an answer may not run across: each pattern matches at the boundary, and the next clause begins after the match. */
const boundaries = new RegExp(
  [
    // A blank line; a new list item, heading, quotation or table row.
    String.raw`\n[^\S\n]*\n`,
    String.raw`\n(?=[^\S\n]*(?:[-*+#>|•]|\d+[.)]\s))`,
    // The end of a sentence. One or two letters before the full stop are likely an abbreviation or an initial.
    String.raw`(?<=[\p{L}\p{N})\]]{3}[.!?]["'”’)]?|\p{N}[.!?])\s+(?=["'“‘(]?\p{Lu})`,
    // The cells of a record, "Key: value; other key: value", and of a table row.
    String.raw`;\s(?=[\p{L}_][^;:\n]{0,40}:\s)`,
    String.raw`\s\|\s`,
  ].join("|"),
  "gu",
);

/**
 * Offsets at which a clause begins: sentences, list items, cells. Almost no answer in running text crosses one, and a
 * span that does is nearly always the reader not knowing where to stop.
 *
 * @returns UTF-16 offsets in rising order, the first one 0
 */
export function clauseStarts(text: string): number[] {
  const starts = [0];
  for (const { 0: match, index } of text.matchAll(boundaries)) starts.push(index + match.length);
  return starts;
}
