import { parse } from "csv-parse/sync";
import { tableText } from "./table.ts";
import type { Extracted, Skipped } from "./types.ts";

const DELIMITERS = [",", ";", "\t", "|"];
const LINES_LOOKED_AT = 30;

interface Parsed {
  readonly record: string[];
  readonly info: { readonly lines: number };
}

/** One line per row, `Header: value; Header: value`; the delimiter is found out; a broken quote is a skip with its line. */
export function csvText(text: string): Extracted | Skipped {
  const delimiter = sniffDelimiter(text);
  let parsed: Parsed[];
  try {
    parsed = rows(text, delimiter, false);
  } catch (strict) {
    // `27" monitor` without quotes around it is not CSV, but says what it means: such cells are taken as they are.
    try {
      parsed = rows(text, delimiter, true);
    } catch {
      return { skip: `broken quotes in the row at line ${brokenLine(strict)}: ${(strict as Error).message}` };
    }
    // A cell that still has its opening quote and runs over a line end has swallowed other rows.
    const broken = parsed.findIndex(({ record }) => record.some((cell) => cell.startsWith('"') && /[\r\n]/.test(cell)));
    if (broken >= 0) {
      const line = (parsed[broken - 1]?.info.lines ?? 0) + 1;
      return { skip: `broken quotes in the row that starts at line ${line}: a quoted cell is not closed` };
    }
  }
  const { text: extracted, blocks, rows: records, notes } = tableText(parsed.map(({ record }) => record));
  return { text: extracted, blocks, notes, metadata: { rows: records } };
}

function rows(text: string, delimiter: string, relax: boolean): Parsed[] {
  return parse(text, {
    delimiter,
    relax_quotes: relax,
    relax_column_count: true,
    info: true,
    record_delimiter: ["\r\n", "\n", "\r"],
    max_record_size: 0,
  }) as unknown as Parsed[];
}

function brokenLine(error: unknown): number | string {
  return (error as { lines?: number }).lines ?? "?";
}

/** The candidate that most lines hold as often as the header does; the more cells the better. */
export function sniffDelimiter(text: string): string {
  const lines = linesOutsideQuotes(text);
  let best = ",";
  let bestScore = 0;
  for (const delimiter of DELIMITERS) {
    const counts = lines.map((line) => line.split(delimiter).length - 1);
    const expected = counts[0] ?? 0;
    if (expected === 0) continue;
    const same = counts.filter((n) => n === expected).length / counts.length;
    const score = same + expected / (expected + 100);
    if (score > bestScore) [best, bestScore] = [delimiter, score];
  }
  return best;
}

/** The first lines with their quoted parts cut out, blank ones left out. */
function linesOutsideQuotes(text: string): string[] {
  const head = text.slice(0, 65_536).replace(/"(?:[^"]|"")*"/g, "");
  const lines = head.split(/\r\n|\n|\r/);
  // The last line may be cut off in the middle.
  if (text.length > 65_536 && lines.length > 1) lines.pop();
  return lines.filter((line) => line.trim() !== "").slice(0, LINES_LOOKED_AT);
}
