import { ClaraError } from "@clara/core";
import type { Chart, Report, Table } from "./types.ts";

/** @throws ClaraError "shape" when rows or series do not have the length that they must have. */
export function checkReport({ sections }: Report): void {
  for (const { heading, table, chart } of sections) {
    if (table) checkTable(heading, table);
    if (chart) checkChart(heading, chart);
  }
}

function checkTable(heading: string, { columns, rows }: Table): void {
  const wrong = rows.findIndex((row) => row.length !== columns.length);
  if (wrong < 0) return;
  throw new ClaraError(
    "shape",
    `reportPage: "${heading}": row ${wrong} of the table must have ${columns.length} cells, got ${rows[wrong]!.length}`,
  );
}

function checkChart(heading: string, { x, series }: Chart): void {
  for (const { label, values, low, high } of series) {
    for (const [name, given] of Object.entries({ values, low, high })) {
      if (given === undefined || given.length === x.values.length) continue;
      throw new ClaraError(
        "shape",
        `reportPage: "${heading}": ${name} of "${label}" must have ${x.values.length} numbers, as x has, got ${given.length}`,
      );
    }
    if ((low === undefined) !== (high === undefined)) {
      throw new ClaraError("shape", `reportPage: "${heading}": "${label}" must have both low and high, or neither`);
    }
  }
}
