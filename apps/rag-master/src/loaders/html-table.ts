import { oneLine } from "./lines.ts";
import { recordLine } from "./table.ts";

/** A cell as it was read: its text, whether it is a `<th>`, how many columns and rows it spans. */
export interface Cell {
  text: string;
  readonly head: boolean;
  readonly columns: number;
  readonly rows: number;
}

// A span of thousands is a mistake or an attack.
const MAX_SPAN = 100;
const MAX_COLUMNS = 1000;

/**
 * The lines of a table: with a header row one record per row, each with its header names; without one the cells of
 * each row, joined.
 */
export function htmlTableLines(rows: readonly (readonly Cell[])[]): { lines: string[]; kind: "record" | "prose" } {
  const grid = spread(rows);
  const filled = grid.filter((row) => row.some((cell) => cell && oneLine(cell.text) !== ""));
  const [first, ...rest] = filled;
  if (!first || !rest.length || !isHeader(first, rest)) return { lines: filled.map(joined), kind: "prose" };
  const names = first.map((cell) => oneLine(cell?.text ?? ""));
  const lines = rest.map((row) =>
    recordLine(row.map((cell, c) => [names[c] || `column ${c + 1}`, cell?.text ?? ""] as const)),
  );
  return { lines, kind: "record" };
}

/** Marked as a header, or, in a table without any `<th>`, three or more different names without digits. */
function isHeader(first: readonly (Cell | undefined)[], rest: readonly (readonly (Cell | undefined)[])[]): boolean {
  if (first.every((cell) => !cell || cell.head)) return true;
  if (first.length < 3 || [first, ...rest].some((row) => row.some((cell) => cell?.head))) return false;
  const names = first.map((cell) => oneLine(cell?.text ?? ""));
  return (
    new Set(names).size === names.length && names.every((name) => name !== "" && name.length < 60 && !/\d/.test(name))
  );
}

function joined(row: readonly (Cell | undefined)[]): string {
  const cells = row.filter((cell) => cell !== undefined && oneLine(cell.text) !== "") as Cell[];
  const texts = cells.map((cell) => oneLine(cell.text));
  return texts.length === 2 && cells[0]!.head ? `${texts[0]}: ${texts[1]}` : texts.join(" | ");
}

/** Cells in their columns. A cell that spans rows stands in each of them; one that spans columns in the first, unless it is a header. */
function spread(rows: readonly (readonly Cell[])[]): (Cell | undefined)[][] {
  const grid: (Cell | undefined)[][] = rows.map(() => []);
  const taken: Set<number>[] = rows.map(() => new Set());
  for (const [r, row] of rows.entries()) {
    let column = 0;
    for (const cell of row) {
      while (taken[r]!.has(column)) column++;
      if (column >= MAX_COLUMNS) break;
      const columns = Math.min(cell.columns, MAX_SPAN);
      const last = Math.min(r + Math.min(cell.rows, MAX_SPAN), rows.length);
      for (let y = r; y < last; y++) {
        for (let x = column; x < column + columns; x++) {
          taken[y]!.add(x);
          grid[y]![x] = x === column || cell.head ? cell : undefined;
        }
      }
      column += columns;
    }
  }
  return grid.map((row) => Array.from(row));
}
