import { oneLine } from "./lines.ts";
import { createOutline } from "./outline.ts";
import type { Extracted } from "./types.ts";

const LINE = /[^\r\n]*(?:\r\n|\n|\r|$)/y;
const ATX = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*$/;
// Longer lines are data, not headings; the patterns above and below would search them for long.
const HEADING_LENGTH = 1000;
const FENCE = /^[ \t]*(?:[-*+][ \t]+|>[ \t]?)?(`{3,}|~{3,})(.*)$/;
const SETEXT = /^ {0,3}(=+|-+)[ \t]*$/;
// What a setext heading's text cannot be: a list, a quote, a table, indented code, a front matter mark.
const NOT_A_PARAGRAPH = /^(?: {4}|\t| {0,3}(?:[-*+>|]|\d+[.)][ \t]))/;

interface Line {
  readonly start: number;
  /** Without the line end. */
  readonly end: number;
  readonly next: number;
  readonly text: string;
}

/**
 * Markdown as it stands, so that line numbers match the file. Headings (`#` and underlined) give the paths; code
 * fences and tables are kept whole; a heading inside a fence is code.
 */
export function markdownText(text: string): Extracted {
  const outline = createOutline();
  const lines = linesOf(text);
  let proseFrom = 0;
  let title: string | undefined;
  const proseUntil = (end: number): void => {
    if (text.slice(proseFrom, end).trim() !== "") outline.block(proseFrom, end);
  };
  const whole = (from: Line, to: Line): void => {
    proseUntil(from.start);
    outline.block(from.start, to.end, { keepWhole: true });
    proseFrom = to.next;
  };
  let i = 0;
  const front = frontMatterEnd(lines);
  if (front > 0) {
    title = frontTitle(lines.slice(1, front));
    whole(lines[0]!, lines[front]!);
    i = front + 1;
  }
  for (; i < lines.length; i++) {
    const line = lines[i]!;
    const fence = FENCE.exec(line.text);
    if (fence && !(fence[1]![0] === "`" && fence[2]!.includes("`"))) {
      const last = fenceEnd(lines, i, fence[1]!);
      whole(line, lines[last]!);
      i = last;
      continue;
    }
    const tableEnd = tableLast(lines, i);
    if (tableEnd > i) {
      whole(line, lines[tableEnd]!);
      i = tableEnd;
      continue;
    }
    const atx = line.text.length > HEADING_LENGTH ? null : ATX.exec(line.text);
    const under = atx ? undefined : setextLevel(lines, i);
    if (!atx && under === undefined) continue;
    proseUntil(line.start);
    const last = atx ? line : lines[i + 1]!;
    outline.heading(atx ? atx[1]!.length : under!, headingText(atx ? (atx[2] ?? "") : line.text), line.start, last.end);
    proseFrom = last.next;
    if (!atx) i++;
  }
  proseUntil(text.length);
  const blocks = outline.finish();
  return { text, blocks, title: title ?? outline.title() };
}

function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  for (let start = 0; start < text.length; ) {
    LINE.lastIndex = start;
    LINE.exec(text);
    const next = LINE.lastIndex;
    let end = next;
    while (end > start && (text[end - 1] === "\n" || text[end - 1] === "\r")) end--;
    lines.push({ start, end, next, text: text.slice(start, end) });
    start = next;
  }
  return lines;
}

function fenceEnd(lines: readonly Line[], from: number, mark: string): number {
  for (let i = from + 1; i < lines.length; i++) {
    const close = /^[ \t]*(?:>[ \t]?)?(`{3,}|~{3,})[ \t]*$/.exec(lines[i]!.text)?.[1];
    if (close && close[0] === mark[0] && close.length >= mark.length) return i;
  }
  return lines.length - 1;
}

/** The last line of the table that starts here, or `i` when none does. */
function tableLast(lines: readonly Line[], i: number): number {
  const isRow = (n: number): boolean => lines[n]?.text.includes("|") ?? false;
  if (!isRow(i) || (lines[i + 1]?.text.length ?? 0) > HEADING_LENGTH) return i;
  if (!/^[ \t]*\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/.test(lines[i + 1]?.text ?? "")) return i;
  if (!isRow(i + 1)) return i;
  let last = i + 1;
  while (isRow(last + 1)) last++;
  return last;
}

/** The level of a heading underlined with `=` or `-`. Only one line long: longer ones are rare, and `---` is common. */
function setextLevel(lines: readonly Line[], i: number): number | undefined {
  const line = lines[i]!.text;
  const under = SETEXT.exec(lines[i + 1]?.text ?? "")?.[1];
  if (!under || line.length > HEADING_LENGTH || line.trim() === "" || NOT_A_PARAGRAPH.test(line)) return undefined;
  if (i > 0 && lines[i - 1]!.text.trim() !== "" && !ATX.test(lines[i - 1]!.text)) return undefined;
  return under[0] === "=" ? 1 : 2;
}

function frontMatterEnd(lines: readonly Line[]): number {
  if (lines[0]?.text.trimEnd() !== "---") return 0;
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!.text.trimEnd();
    if (line === "---" || line === "...") return i;
    // A rule above a text is not front matter.
    if (line !== "" && !/^(?:[\w-]+[ \t]*:|[ \t]|-[ \t]|#)/.test(line)) return 0;
  }
  return 0;
}

function frontTitle(lines: readonly Line[]): string | undefined {
  const value = lines.map(({ text }) => /^title[ \t]*:[ \t]*(.+)$/.exec(text)?.[1]).find(Boolean);
  return value ? oneLine(value.replace(/^(["'])(.*)\1[ \t]*$/, "$2")) : undefined;
}

/** A heading's words without Markdown's marks. */
function headingText(source: string): string {
  const words = source
    .replace(/!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])/g, "$1")
    .replace(/\{#[^}]*\}\s*$/, "")
    .replace(/<\/?[a-z][^>]*>/gi, "")
    .replace(/(\*\*|__|`)(.+?)\1/g, "$2")
    .replace(/(?<!\w)([*_])(?=\S)(.+?)(?<=\S)\1(?!\w)/g, "$2");
  return oneLine(words);
}
