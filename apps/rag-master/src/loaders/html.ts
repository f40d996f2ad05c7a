import { Parser } from "htmlparser2";
import { type Cell, htmlTableLines } from "./html-table.ts";
import { oneLine } from "./lines.ts";
import { createOutline } from "./outline.ts";
import type { Extracted } from "./types.ts";

// Nothing a reader of the page reads as its text.
const DROPPED = new Set(
  "script style nav noscript template svg iframe object canvas audio video select datalist".split(" "),
);
// Elements that stand on lines of their own, with a blank line around them.
const PARAGRAPHS = new Set(
  "p div section article main header footer aside ul ol dl blockquote figure figcaption form fieldset address details hr body".split(
    " ",
  ),
);
const LINES = new Set("br li dt dd tr summary caption option label legend".split(" "));
const HEADING = /^h([1-6])$/;

/**
 * The text of an HTML page: scripts, styles and navigation dropped, block elements on lines of their own, headings as
 * paths, `<pre>` kept as it is, each row of a table with a header row as one record. Offsets point into this text.
 */
export function htmlText(html: string): Extracted {
  const outline = createOutline();
  const parts: string[] = [];
  let length = 0;
  let lineBreaks = 2; // wanted before the next text; none at the very start
  let space = false;
  let proseFrom = 0;
  let dropped = 0;
  let pre = 0;
  let title: string | undefined;
  let inTitle = false;
  let heading: { level: number; start: number | undefined; text: string } | undefined;
  const tables: Cell[][][] = [];
  let cellOpen = false;

  const push = (text: string): void => {
    if (length > 0 && lineBreaks > 0) emit("\n".repeat(lineBreaks));
    else if (length > 0 && space) emit(" ");
    lineBreaks = 0;
    space = false;
    if (heading) heading.start ??= length;
    emit(text);
  };
  const emit = (text: string): void => {
    parts.push(text);
    length += text.length;
  };
  const breakLines = (n: number): void => {
    lineBreaks = Math.max(lineBreaks, n);
  };
  /** Ends the prose so far; `from` is where what follows starts, line breaks before it not counted. */
  const proseUntil = (end: number): void => {
    if (end > proseFrom) outline.block(proseFrom, end);
    proseFrom = end;
  };
  const text = (data: string): void => {
    if (inTitle) title = (title ?? "") + data;
    if (dropped > 0 || inTitle) return;
    const cell = cellOpen ? tables[0]?.at(-1)?.at(-1) : undefined;
    if (cell) {
      cell.text += data;
      return;
    }
    if (heading) heading.text += data;
    if (pre > 0) {
      push(data);
      return;
    }
    const words = oneLine(data);
    if (/^\s/.test(data)) space = true;
    if (words === "") return;
    push(words);
    space = /\s$/.test(data);
  };
  const closeTable = (): void => {
    const { lines, kind } = htmlTableLines(tables.pop()!);
    breakLines(2);
    if (kind === "record") proseUntil(length);
    for (const line of lines) {
      push(line);
      if (kind === "record") {
        outline.block(length - line.length, length, { kind });
        proseFrom = length;
      }
      breakLines(1);
    }
    breakLines(2);
  };

  const parser = new Parser({
    onopentag(name, attributes) {
      if (dropped > 0 || DROPPED.has(name) || "hidden" in attributes) {
        dropped++;
        return;
      }
      if (name === "title") inTitle = title === undefined;
      if (name === "table") tables.push([]);
      // Only the outermost table is a table; one inside a cell is that cell's text.
      if (tables.length > 0) {
        const rows = tables[0]!;
        if (tables.length === 1 && name === "tr") rows.push([]);
        if (tables.length === 1 && (name === "td" || name === "th")) {
          if (rows.length === 0) rows.push([]);
          const span = (value: string | undefined): number => Math.max(1, Number.parseInt(value ?? "1", 10) || 1);
          const { colspan, rowspan } = attributes;
          rows.at(-1)!.push({ text: "", head: name === "th", columns: span(colspan), rows: span(rowspan) });
          cellOpen = true;
        } else if (cellOpen && !INLINE.has(name)) text(" ");
        if (cellOpen || tables.length > 1) return;
      }
      const level = HEADING.exec(name)?.[1];
      if (level) {
        breakLines(2);
        proseUntil(length);
        heading = { level: Number(level), start: undefined, text: "" };
      } else if (name === "pre") {
        breakLines(2);
        if (pre === 0) proseUntil(length);
        pre++;
      } else if (PARAGRAPHS.has(name)) breakLines(2);
      else if (LINES.has(name)) breakLines(1);
    },
    ontext: text,
    onclosetag(name) {
      if (dropped > 0) {
        dropped--;
        return;
      }
      if (name === "title") inTitle = false;
      if (tables.length > 0) {
        if (name === "table") {
          if (tables.length > 1) tables.pop();
          else {
            cellOpen = false;
            closeTable();
          }
          return;
        }
        if (tables.length === 1 && (name === "td" || name === "th")) cellOpen = false;
        else if (cellOpen && !INLINE.has(name)) text(" ");
        if (cellOpen || tables.length > 1) return;
      }
      if (HEADING.test(name) && heading) {
        if (heading.start !== undefined) {
          outline.heading(heading.level, oneLine(heading.text), heading.start, length);
          proseFrom = length;
        }
        heading = undefined;
        breakLines(2);
      } else if (name === "pre" && pre > 0) {
        pre--;
        if (pre === 0) {
          if (length > proseFrom) outline.block(proseFrom, length, { keepWhole: true });
          proseFrom = length;
        }
        breakLines(2);
      } else if (PARAGRAPHS.has(name)) breakLines(2);
      else if (LINES.has(name)) breakLines(1);
    },
  });
  parser.end(html);
  proseUntil(length);
  const blocks = outline.finish();
  return { text: parts.join(""), blocks, title: outline.title() ?? (title && oneLine(title)) };
}

// Elements inside a word or sentence; every other one separates words inside a cell.
const INLINE = new Set(
  "a abbr b bdi bdo cite code data dfn em font i kbd mark q s samp small span strong sub sup time u var wbr".split(" "),
);
