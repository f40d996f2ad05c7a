import { oneLine } from "./lines.ts";
import type { Block } from "./types.ts";

/** A table as text: the header's names on line 1, then one line per row. */
export interface TableText {
  readonly text: string;
  readonly blocks: readonly Block[];
  readonly rows: number;
  readonly notes: readonly string[];
}

// A column with one of these names says what the row is about.
const NAMING = /^(name|title|label|subject|question|term|headline|(product|item|article)([ _-]?(name|title))?)$/i;

/** The entries of a record as `name: value; name: value`, those that name it first, empty values left out. */
export function recordLine(entries: readonly (readonly [name: string, value: string])[]): string {
  const shown = entries
    .map(([name, value]) => [oneLine(name), oneLine(value)] as const)
    .filter(([, value]) => value !== "");
  const naming = shown.filter(([name]) => NAMING.test(name));
  const rest = shown.filter(([name]) => !NAMING.test(name));
  return [...naming, ...rest].map(([name, value]) => (name === "" ? value : `${name}: ${value}`)).join("; ");
}

/**
 * Rows of cells to text and one record per row. The first row that is not blank is the header. Line N of the text is
 * row N: blank rows stay as blank lines.
 *
 * @param offset where the text will start in the document
 */
export function tableText(
  rows: readonly (readonly string[])[],
  heading: readonly string[] = [],
  offset = 0,
): TableText {
  const isBlank = (row: readonly string[]): boolean => row.every((cell) => cell.trim() === "");
  const headerRow = rows.findIndex((row) => !isBlank(row));
  const header = trimEnd(rows[headerRow] ?? []).map(oneLine);
  const nameOf = (column: number): string => header[column] || `column ${column + 1}`;
  const lines: string[] = [];
  const blocks: Block[] = [];
  const ragged: number[] = [];
  let start = offset;
  for (const [r, row] of rows.entries()) {
    let line = "";
    if (r === headerRow) {
      line = header.map((_, column) => nameOf(column)).join("; ");
    } else if (!isBlank(row)) {
      if (row.length < header.length || trimEnd(row).length > header.length) ragged.push(r + 1);
      line = recordLine(row.map((cell, column) => [nameOf(column), cell] as const));
      blocks.push({ start, end: start + line.length, heading, kind: "record" });
    }
    lines.push(line);
    start += line.length + 1;
  }
  const text = lines.join("\n");
  const records = blocks.length;
  // A header alone is still text somebody may look for.
  if (records === 0 && header.length > 0)
    blocks.push({ start: offset, end: offset + text.length, heading, kind: "prose" });
  const notes =
    ragged.length > 0
      ? [
          `${count(ragged.length, "row has", "rows have")} more or fewer cells than the header (first: row ${ragged[0]})`,
        ]
      : [];
  return { text, blocks, rows: records, notes };
}

function trimEnd(row: readonly string[]): readonly string[] {
  let end = row.length;
  while (end > 0 && row[end - 1]!.trim() === "") end--;
  return row.slice(0, end);
}

/** `1 row has`, `2 rows have`. */
export function count(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`;
}
