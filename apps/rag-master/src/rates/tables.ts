import type { Table } from "../report/index.ts";
import type { RateCurve, RatePoint } from "./rate-curve.ts";

/** The curve, a row for each rate and context; parts of 1 as percent. */
export function curveTable({ points, n }: RateCurve): Table {
  const columns = [
    "rate",
    "context",
    "F1",
    "95 %",
    "EM",
    "recall@1",
    "refused",
    "first token p50",
    "p95",
    "tokens read",
    "of",
    "bytes/passage",
    "of text",
  ];
  return { columns, rows: points.map((point) => row(point, n)) };
}

function row({ supported, ...point }: RatePoint, n: number): (string | number | null)[] {
  const { rate, context, f1, ci95, em, recall1, refused, firstToken, tokens, bytes, bytesOfText } = point;
  const start = [rate, context];
  const size = [Math.round(bytes), `${percent(bytesOfText)} %`];
  if (!supported) return [...start, "not supported", ...Array<null>(8).fill(null), ...size];
  return [
    ...start,
    percent(f1),
    ci95 === null ? "–" : `${percent(ci95[0])}–${percent(ci95[1])}`,
    percent(em),
    percent(recall1),
    `${refused} of ${n}`,
    firstToken === null ? "–" : `${firstToken.p50} ms`,
    firstToken === null ? "–" : `${firstToken.p95} ms`,
    tokens === null ? "–" : Math.round(tokens.read),
    tokens === null ? "–" : Math.round(tokens.text),
    ...size,
  ];
}

/** The contexts beside `text`; undefined when there is nothing to compare. */
export function besideTextTable({ besideText }: RateCurve): Table | undefined {
  if (besideText.length === 0) return undefined;
  return {
    columns: ["rate", "context", "F1 – text's", "95 %", "p", "sooner", "5–95 % of questions", "tokens of text's"],
    rows: besideText.map(({ rate, context, f1, sooner, tokensRead }) => [
      rate,
      context,
      f1 === null ? "–" : signed(f1.difference),
      f1 === null ? "–" : `${signed(f1.ci95[0])} to ${signed(f1.ci95[1])}`,
      f1 === null ? "–" : f1.p,
      sooner === null ? "–" : `${sooner.ratio} times`,
      sooner === null ? "–" : `${sooner.p5}–${sooner.p95}`,
      tokensRead === null ? "–" : `${percent(tokensRead)} %`,
    ]),
  };
}

/** A table for the terminal: columns as wide as they must be, numbers to the right. */
export function plainTable({ columns, rows }: Table): string[] {
  const cells = [columns, ...rows].map((line) => line.map((cell) => (cell === null ? "" : String(cell))));
  const widths = columns.map((_, c) => Math.max(...cells.map((line) => line[c]!.length)));
  const words = columns.map((_, c) => rows.some((line) => typeof line[c] === "string" && /^[a-z]/.test(line[c])));
  return cells.map((line) =>
    line
      .map((cell, c) => (words[c] ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!)))
      .join("  ")
      .trimEnd(),
  );
}

export function percent(part: number | null): string {
  return part === null ? "–" : (100 * part).toFixed(1);
}

function signed(part: number): string {
  return `${part > 0 ? "+" : ""}${(100 * part).toFixed(1)}`;
}
