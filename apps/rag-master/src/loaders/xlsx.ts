import readXlsx from "read-excel-file/node";
import { firstSentence } from "./docx.ts";
import { tableText } from "./table.ts";
import type { Block, Extracted, Skipped } from "./types.ts";

/** A workbook: each sheet like a CSV file, under its name; dates as ISO 8601. */
export async function xlsxText(bytes: Uint8Array): Promise<Extracted | Skipped> {
  let sheets: Awaited<ReturnType<typeof readXlsx>>;
  try {
    sheets = await readXlsx(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (error) {
    return { skip: `damaged or encrypted XLSX: ${firstSentence(error)}` };
  }
  const texts: string[] = [];
  const blocks: Block[] = [];
  const notes: string[] = [];
  let offset = 0;
  let records = 0;
  for (const { sheet, data } of sheets) {
    const rows = data.map((row) => row.map(cellText));
    const table = tableText(rows, [sheet], offset);
    if (table.text.trim() === "") continue;
    texts.push(table.text);
    blocks.push(...table.blocks);
    notes.push(...table.notes.map((note) => `sheet ${sheet}: ${note}`));
    offset += table.text.length + 1;
    records += table.rows;
  }
  return { text: texts.join("\n"), blocks, notes, metadata: { sheets: texts.length, rows: records } };
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return "";
  // Excel's times have no zone: the library puts them at UTC.
  if (value instanceof Date)
    return value
      .toISOString()
      .replace(/T00:00:00\.000Z$/, "")
      .replace(/(?:\.000)?Z$/, "");
  // 0.1 + 0.2 is shown as 0.3: Excel works with 15 digits.
  if (typeof value === "number") return String(Number(value.toPrecision(15)));
  return String(value);
}
