import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chartScript } from "./chart-script.ts";
import { checkReport } from "./check-report.ts";
import { escapeHtml, jsonInScript } from "./escape-html.ts";
import { pageStyle } from "./page-style.ts";
import type { Chart, Report, Section, Series, Table } from "./types.ts";

/**
 * A page that needs nothing beside itself: no network, no other file. Texts are escaped; charts are drawn by uPlot,
 * which is in the page, and say in words what they show where scripts are off.
 *
 * @throws ClaraError "shape" when rows or series do not have the length that they must have.
 */
export function reportPage(report: Report): string {
  checkReport(report);
  const { title, intro, sections } = report;
  const charts = sections.some(({ chart }) => chart);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${charts ? uplot().style : ""}${pageStyle}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
${paragraphs(intro)}
${sections.map(sectionOf).join("\n")}
${charts ? `<script>${uplot().script}</script>\n<script>${chartScript}</script>` : ""}
</body>
</html>
`;
}

function sectionOf({ heading, text, table, chart }: Section): string {
  return `<section>
<h2>${escapeHtml(heading)}</h2>
${paragraphs(text)}${table ? tableOf(table) : ""}${chart ? chartOf(chart) : ""}
</section>`;
}

function paragraphs(text = ""): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line) => `<p>${escapeHtml(line)}</p>\n`).join("");
}

function tableOf({ columns, rows }: Table): string {
  const cell = (value: string | number | null): string =>
    typeof value === "number" ? `<td class="number">${value}</td>` : `<td>${escapeHtml(value ?? "")}</td>`;
  return `<div class="wide"><table>
<thead><tr>${columns.map((column) => `<th>${escapeHtml(column)}</th>`).join("")}</tr></thead>
<tbody>
${rows.map((row) => `<tr>${row.map(cell).join("")}</tr>`).join("\n")}
</tbody></table></div>
`;
}

function chartOf(chart: Chart): string {
  const words = chart.series.map((series) => inWords(series, chart)).join(" ");
  return `<figure class="chart"><div></div>
<script type="application/json">${jsonInScript(inOrder(chart))}</script>
<noscript><figcaption>${escapeHtml(`The chart needs scripts. ${words}`)}</figcaption></noscript></figure>
`;
}

/** uPlot wants x ascending. */
function inOrder({ x, series, ...chart }: Chart): Chart {
  const order = x.values.map((_, i) => i).sort((a, b) => x.values[a]! - x.values[b]!);
  const sorted = <T>(list: readonly T[]): T[] => order.map((i) => list[i]!);
  return {
    ...chart,
    x: { ...x, values: sorted(x.values) },
    series: series.map(({ values, low, high, ...rest }) => ({
      ...rest,
      values: sorted(values),
      ...(low && high && { low: sorted(low), high: sorted(high) }),
    })),
  };
}

function inWords({ label, values }: Series, { x, y }: Chart): string {
  const points = values.flatMap((value, i) => (value === null ? [] : [{ value, at: x.values[i]! }]));
  if (points.length === 0) return `${label}: no values.`;
  const [first, last] = [points[0]!, points.at(-1)!];
  const least = points.reduce((a, b) => (b.value < a.value ? b : a));
  const most = points.reduce((a, b) => (b.value > a.value ? b : a));
  const say = ({ value, at }: typeof first): string => `${short(value)} at ${x.label} ${short(at)}`;
  return `${label} (${y.label}): first ${say(first)}, last ${say(last)}, lowest ${say(least)}, highest ${say(most)}.`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}

let files: { readonly script: string; readonly style: string } | undefined;

/** The library's files, as it is installed; the script begins with its licence's comment. */
function uplot(): NonNullable<typeof files> {
  const require = createRequire(import.meta.url);
  files ??= {
    script: readFileSync(require.resolve("uplot/dist/uPlot.iife.min.js"), "utf8"),
    style: readFileSync(require.resolve("uplot/dist/uPlot.min.css"), "utf8"),
  };
  return files;
}
