import type { Context } from "@clara/core";
import type { Chart, Report, Section, Series } from "../report/index.ts";
import type { RateCurve, RatePoint } from "./rate-curve.ts";
import { besideTextTable, curveTable } from "./tables.ts";

/** The curve as a page: quality by rate, by time and by size, and the tables. */
export function ratesPage(curve: RateCurve, { intro }: { readonly intro: string }): Report {
  const beside = besideTextTable(curve);
  const missing = curve.points.filter(({ supported }) => !supported);
  const reasons = [...new Set(missing.map(({ context, reason }) => `Not supported: ${context}. ${reason ?? ""}`))];
  return {
    title: "Quality, time and size by compression rate",
    intro: [intro, ...reasons].join("\n"),
    sections: [
      {
        heading: "F1 by rate",
        text: "Tokens behind one memory token, and F1 with its 95 % interval (bootstrap over questions).",
        chart: chart(curve, "line", { label: "rate", log: true }, ({ rate }) => rate),
      },
      {
        heading: "F1 by time",
        text: "Median milliseconds from a question to the first token of its answer. Left and high is good.",
        chart: chart(curve, "scatter", { label: "first token, ms" }, ({ firstToken }) => firstToken?.p50 ?? null),
      },
      {
        heading: "F1 by size",
        text: "Bytes of a passage's memory in a pack, as a part of its UTF-8 text: 1 is as large as the text.",
        chart: chart(curve, "line", { label: "bytes of memory / bytes of text", log: true }, (p) => p.bytesOfText),
      },
      { heading: "Figures", table: curveTable(curve) },
      ...(beside
        ? [
            {
              heading: "Beside reading all the text",
              text: "Pairs of answers to the same question. Sooner: the median first token of text over that of the context.",
              table: beside,
            } satisfies Section,
          ]
        : []),
    ],
  };
}

/** F1 over anything: a series for each context. A series has null where x is another's. */
function chart(
  { points }: RateCurve,
  kind: Chart["kind"],
  axis: Omit<Chart["x"], "values">,
  place: (point: RatePoint) => number | null,
): Chart {
  const shown = points.filter((point) => point.f1 !== null && place(point) !== null);
  const values = [...new Set(shown.map((point) => place(point)!))].sort((a, b) => a - b);
  const contexts = [...new Set(shown.map(({ context }) => context))];
  return {
    kind,
    x: { ...axis, values },
    y: { label: "F1, percent" },
    series: contexts.map((context): Series => seriesOf(context, shown, values, place)),
  };
}

function seriesOf(
  context: Context,
  points: readonly RatePoint[],
  values: readonly number[],
  place: (point: RatePoint) => number | null,
): Series {
  const at = values.map((value) => points.find((point) => point.context === context && place(point) === value));
  const percents = (part: (point: RatePoint) => number | undefined): (number | null)[] =>
    at.map((point) => {
      const value = point && part(point);
      return value === undefined ? null : Number((100 * value).toFixed(2));
    });
  return {
    label: context,
    values: percents(({ f1 }) => f1 ?? undefined),
    low: percents(({ ci95 }) => ci95?.[0]),
    high: percents(({ ci95 }) => ci95?.[1]),
  };
}
