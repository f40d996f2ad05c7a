/**
 * A text with Markdown's and HTML's inline marks, and line ends, as spaces. Its length is the text's, so that offsets
 * into one are offsets into the other.
 */
export function mask(text: string): string {
  return text
    .replace(/!\[[^\]\n]*\]\([^)\n]*\)/g, blank)
    .replace(
      /\[([^\]\n]+)\](\([^)\s]*\)|\[[^\]\n]*\])/g,
      (whole, label: string) => ` ${label}${" ".repeat(whole.length - label.length - 1)}`,
    )
    .replace(/<\/?[a-zA-Z][^<>\n]*>/g, blank)
    .replace(/\*\*|__|~~|`+/g, blank)
    .replace(/(?<![\p{L}\p{N}*])[*_](?=[\p{L}\p{N}])|(?<=[\p{L}\p{N}.!?])[*_](?![\p{L}\p{N}*])/gu, " ")
    .replace(/\s/g, " ");
}

function blank(whole: string): string {
  return " ".repeat(whole.length);
}

/** The range without white space, marks and closing punctuation at its ends; null when nothing is left. */
export function trimRange(text: string, start: number, end: number): { start: number; end: number } | null {
  let from = start;
  let to = end;
  while (from < to && /[\s*_`~"“”'’,;:|]/.test(text[from]!)) from++;
  while (to > from && /[\s*_`~"“”,;:|.!?]/.test(text[to - 1]!)) {
    // "e.g." and "U.S." keep their last point.
    if (text[to - 1] === "." && /(?:^|[\s(])(?:[\p{L}]\.)+$/u.test(text.slice(from, to))) break;
    to--;
  }
  // A pair of marks goes in or out together: "`retry` or `delay`".
  for (const mark of ["`", '"', "**"]) {
    if (text.slice(from, to).split(mark).length % 2 === 1) continue;
    if (text.startsWith(mark, to)) to += mark.length;
    else if (text.slice(0, from).endsWith(mark)) from -= mark.length;
  }
  return from < to ? { start: from, end: to } : null;
}

/** One space for each run of white space, none before punctuation or at the ends. */
export function tidy(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .replace(/ ([,.;:!?)\]])/g, "$1")
    .replace(/([([]) /g, "$1")
    .replace(/ (['’]s\b)/g, "$1")
    .trim();
}
