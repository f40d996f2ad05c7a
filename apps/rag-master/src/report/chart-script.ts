/**
 * Draws every `<figure class="chart">` of a page from the JSON in it, with uPlot. In a text, since it runs in a browser:
 * no build step would otherwise know it.
 */
export const chartScript = `
"use strict";
(() => {
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const digits = (value) => {
    if (value == null) return "–";
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(2).replace(/\\.?0*e/, "e");
    return value.toLocaleString("en", { maximumSignificantDigits: 5 });
  };
  // Of a logarithmic axis: 1, 2, 5, 10, 20, …
  const round = (value) => /^[125]e/.test(Number(value.toPrecision(6)).toExponential());
  const positive = (value, log) => (log && value != null && value <= 0 ? null : value);

  function extent(u, series, log) {
    const [from, to] = u.series[0].idxs;
    let [least, most] = [Infinity, -Infinity];
    series.forEach(({ values, low, high }, s) => {
      if (!u.series[s + 1].show) return;
      for (const list of [values, low, high]) {
        if (!list) continue;
        for (let i = from; i <= to; i++) {
          const value = positive(list[i], log);
          if (value == null) continue;
          least = Math.min(least, value);
          most = Math.max(most, value);
        }
      }
    });
    return least <= most ? [least, most] : log ? [0.1, 1] : [0, 1];
  }

  function intervals(u, { low, high }, s, kind, log) {
    if (!low || !u.series[s + 1].show) return;
    const { ctx } = u;
    const x = (i) => u.valToPos(u.data[0][i], "x", true);
    const y = (value) => u.valToPos(value, "y", true);
    const ends = u.data[0].map((_, i) => [positive(low[i], log), positive(high[i], log)]);
    ctx.save();
    ctx.beginPath();
    ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    ctx.clip();
    ctx.strokeStyle = ctx.fillStyle = color("--s" + (s % 8));
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    const known = ends.flatMap(([a, b], i) => (a == null || b == null ? [] : [i]));
    if (kind === "line") {
      ctx.globalAlpha = 0.15;
      known.forEach((i, at) => (at ? ctx.lineTo(x(i), y(ends[i][1])) : ctx.moveTo(x(i), y(ends[i][1]))));
      for (const i of known.reverse()) ctx.lineTo(x(i), y(ends[i][0]));
      ctx.fill();
    } else {
      for (const i of known) {
        ctx.moveTo(x(i), y(ends[i][0]));
        ctx.lineTo(x(i), y(ends[i][1]));
      }
      ctx.stroke();
    }
    ctx.restore();
  }

  // Room for the longest number, its tick and the label.
  const wide = (u, values) => 38 + 7 * Math.max(3, ...(values ?? []).map((value) => (value ?? "").length));

  function draw(figure) {
    const { kind, x, y, series } = JSON.parse(figure.querySelector("script").textContent);
    const place = figure.querySelector("div");
    const axis = ({ label, log }, size) => ({
      label, size, stroke: color("--dim"), labelSize: 22, font: "12px system-ui", labelFont: "12px system-ui",
      grid: { stroke: color("--rule"), width: 1 }, ticks: { stroke: color("--rule"), width: 1 },
      ...(log && { filter: (u, splits) => splits.map((value) => (round(value) ? value : null)) }),
      values: (u, splits) => splits.map((value) => (value == null ? "" : digits(value))),
    });
    const lines = series.map(({ label, faint, values }, s) => ({
      label, stroke: color("--s" + (s % 8)) + (faint ? "66" : ""), width: kind === "line" ? (faint ? 1 : 2) : 0,
      spanGaps: kind === "line", value: (u, value) => digits(value),
      points: { show: kind === "scatter" || values.length <= 40, size: kind === "scatter" ? 8 : 5, fill: color("--s" + (s % 8)) },
      ...(kind === "scatter" && { paths: () => null }),
    }));
    const pad = (least, most, log) =>
      log ? [least / 1.1, most * 1.1] : least === most ? [least - (Math.abs(least) / 10 || 1), most + (Math.abs(most) / 10 || 1)]
        : [least - (most - least) * 0.04, most + (most - least) * 0.04];
    const size = () => ({ width: place.clientWidth, height: Math.max(220, Math.min(360, place.clientWidth * 0.5)) });
    const u = new uPlot({
      ...size(),
      scales: {
        x: { time: false, distr: x.log ? 3 : 1, ...((x.log || kind === "scatter") && { range: (u, least, most) => pad(least, most, x.log) }) },
        y: { distr: y.log ? 3 : 1, range: (u) => pad(...extent(u, series, y.log), y.log) },
      },
      axes: [axis(x, 44), axis(y, wide)],
      series: [{ label: x.label, value: (u, value) => digits(value) }, ...lines],
      cursor: { drag: { x: true, y: false } },
      hooks: { drawAxes: [(u) => series.forEach((one, s) => intervals(u, one, s, kind, y.log))] },
    }, [x.values, ...series.map(({ values }) => values.map((value) => positive(value, y.log)))], place);
    const watched = new ResizeObserver(() => u.setSize(size()));
    watched.observe(place);
    return () => {
      watched.disconnect();
      u.destroy();
    };
  }

  let drawn = [];
  const all = () => {
    for (const undo of drawn) undo();
    drawn = [...document.querySelectorAll("figure.chart")].map(draw);
  };
  all();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
})();
`;
