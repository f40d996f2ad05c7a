/** What opens and what closes: Markdown's marks, brackets, quotation marks. */
const pairs = [
  ["**", "**"],
  ["`", "`"],
  ["(", ")"],
  ["“", "”"],
  ['"', '"'],
] as const;

/**
 * A span with its marks in pairs: the partner of one inside is taken in when it is next to the span, and otherwise one at the
 * span's end is left out. `**5 minutes` becomes `5 minutes`, or `**5 minutes**` where that is what the text has.
 *
 * @returns UTF-16 offsets; a span of nothing but marks stays as it is
 */
export function wholeMarks(text: string, start: number, end: number): { start: number; end: number } {
  let [from, to] = [start, end];
  for (const [open, close] of pairs) {
    const inside = text.slice(from, to);
    const same = open === close;
    const opens = count(inside, open);
    const closes = same ? 0 : count(inside, close);
    const lacksClose = same ? opens % 2 === 1 : opens > closes;
    const lacksOpen = same ? opens % 2 === 1 : closes > opens;
    if (lacksClose && text.startsWith(close, to)) to += close.length;
    else if (lacksOpen && from >= open.length && text.startsWith(open, from - open.length)) from -= open.length;
    else if (lacksClose && inside.startsWith(open)) from += open.length;
    else if (lacksOpen && inside.endsWith(close)) to -= close.length;
  }
  while (from < to && /\s/.test(text[from]!)) from += 1;
  while (from < to && /\s/.test(text[to - 1]!)) to -= 1;
  return from < to ? { start: from, end: to } : { start, end };
}

function count(text: string, mark: string): number {
  return text.split(mark).length - 1;
}
