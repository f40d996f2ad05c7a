import { describe, expect, it } from "vitest";
import { chartScript } from "./chart-script.ts";
import { reportPage } from "./report-page.ts";
import type { Chart, Report } from "./types.ts";

const line: Chart = {
  kind: "line",
  x: { label: "step", values: [1, 2, 3] },
  y: { label: "nats" },
  series: [{ label: "loss", values: [3, null, 1] }],
};
const page = (sections: Report["sections"], intro?: string): string => reportPage({ title: "Run", intro, sections });
/** What a chart's script reads. */
const dataOf = (html: string): Chart => JSON.parse(/<script type="application\/json">(.*?)<\/script>/s.exec(html)![1]!);

describe("reportPage", () => {
  it("needs nothing from elsewhere, and keeps the library's licence comment", () => {
    const html = page([{ heading: "Loss", chart: line }]);
    expect(html).not.toMatch(/\b(src|href)\s*=|@import|url\(/);
    expect(html).toContain("/*! https://github.com/leeoniya/uPlot");
    expect(html).toContain('<meta name="viewport"');
    expect(html).toContain("prefers-color-scheme: dark");
  });

  it("has no script where there is no chart", () => {
    expect(page([{ heading: "Settings", table: { columns: ["a"], rows: [[1]] } }])).not.toContain("<script");
  });

  it("shows paragraphs and tables", () => {
    const table = {
      columns: ["name", "value"],
      rows: [
        ["seed", 7],
        ["floor", null],
      ],
    };
    const html = page([{ heading: "Settings", text: "First.\n\nSecond.", table }], "Hello.");
    for (const part of ["<h1>Run</h1>", "<p>Hello.</p>", "<p>First.</p>\n<p>Second.</p>", "<th>name</th>"]) {
      expect(html).toContain(part);
    }
    expect(html).toContain('<tr><td>seed</td><td class="number">7</td></tr>\n<tr><td>floor</td><td></td></tr>');
  });

  it("escapes everything, also what a script reads", () => {
    const evil = `</script><script>alert("x")</script><img onerror='y'>&`;
    const html = reportPage({
      title: evil,
      intro: evil,
      sections: [
        { heading: evil, text: evil, table: { columns: [evil], rows: [[evil]] } },
        { heading: "chart", chart: { ...line, y: { label: evil }, series: [{ label: evil, values: [1, 2, 3] }] } },
      ],
    });
    expect(html).not.toContain("<script>alert");
    expect(html).not.toContain("<img");
    expect(html.match(/<script/g)).toHaveLength(3);
    expect(dataOf(html).series[0]!.label).toBe(evil);
    expect(html).toContain("<title>&lt;/script&gt;&lt;script&gt;alert(&quot;x&quot;)");
  });

  it("says in words what a chart shows", () => {
    expect(page([{ heading: "Loss", chart: line }])).toContain(
      "<noscript><figcaption>The chart needs scripts. loss (nats): first 3 at step 1, last 1 at step 3, lowest 1 at step 3, highest 3 at step 1.",
    );
    const empty = { ...line, series: [{ label: "none", values: [null, null, null] }] };
    expect(page([{ heading: "Loss", chart: empty }])).toContain("none: no values.");
  });

  it("puts points in the order of x, with their intervals", () => {
    const series = [{ label: "F1", values: [7, 5, 6], low: [6, 4, 5], high: [8, 6, 7] }];
    const chart: Chart = {
      kind: "scatter",
      x: { label: "ms", values: [30, 10, 20], log: true },
      y: { label: "F1" },
      series,
    };
    expect(dataOf(page([{ heading: "Quality", chart }]))).toEqual({
      ...chart,
      x: { label: "ms", values: [10, 20, 30], log: true },
      series: [{ label: "F1", values: [5, 6, 7], low: [4, 5, 6], high: [6, 7, 8] }],
    });
  });

  it("refuses rows and series of the wrong length, by name", () => {
    const table = { columns: ["a", "b"], rows: [["1", "2"], ["3"]] };
    expect(() => page([{ heading: "T", table }])).toThrow(/"T": row 1 of the table must have 2 cells, got 1/);
    const series = (more: object): Chart => ({ ...line, series: [{ label: "s", values: [1, 2, 3], ...more }] });
    expect(() => page([{ heading: "C", chart: series({ values: [1] }) }])).toThrow(
      /values of "s" must have 3 .* got 1/,
    );
    expect(() => page([{ heading: "C", chart: series({ low: [1, 2, 3] }) }])).toThrow(/both low and high/);
    expect(() => page([{ heading: "C", chart: series({ low: [1], high: [1, 2, 3] }) }])).toThrow(/low of "s"/);
  });
});

describe("the chart's script", () => {
  it("is a script", () => {
    expect(() => new Function(chartScript)).not.toThrow();
    expect(chartScript).not.toContain("</");
  });
});
