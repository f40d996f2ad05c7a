import type { Context } from "@clara/core";
import { describe, expect, it } from "vitest";
import type { Answer } from "../answer.ts";
import type { Outcome } from "../evaluate.ts";
import { reportPage } from "../report/index.ts";
import { type Cell, inTurn } from "./measure-rates.ts";
import { ratesPage } from "./page.ts";
import { rateCurve, sooner } from "./rate-curve.ts";
import { besideTextTable, curveTable, plainTable } from "./tables.ts";

function outcome(said: string, firstToken: number, read: number): Outcome {
  const answer: Answer = {
    question: "?",
    answer: said,
    refused: false,
    reason: null,
    confidence: 0.9,
    citations: [],
    hits: [],
    tokens: { text: 100, read },
    timings: { retrieve: 1, rerank: 1, firstToken, total: firstToken },
    record: "r",
    decisions: [],
    margin: 0,
    draft: said,
  };
  const record = { id: "1", question: "?", answers: ["60 days"], docs: ["d", "e"], positive: [1], answerable: true };
  return { record, answer, ranked: [1, 0] };
}

const cell = (rate: number, context: Context, outcomes: Outcome[]): Cell => ({
  rate,
  context,
  outcomes,
  unsupported: outcomes.length === 0 ? "needs a reader of memories" : null,
});

const curve = rateCurve({
  cells: [
    cell(4, "memory", []),
    cell(4, "text", [outcome("60 days", 40, 100), outcome("60 days", 80, 100)]),
    cell(4, "mixed", [outcome("60 days", 20, 25), outcome("never", 20, 25)]),
  ],
  passages: 10,
  textBytes: 3000,
  bytes: new Map([[4, 1500]]),
});

describe("rateCurve", () => {
  it("has figures for each rate and context, and says what is not supported", () => {
    expect(curve).toMatchObject({ n: 2, passages: 10, textBytes: 300 });
    const [memory, text, mixed] = curve.points;
    expect(memory).toEqual({
      rate: 4,
      context: "memory",
      supported: false,
      reason: "needs a reader of memories",
      bytes: 150,
      bytesOfText: 0.5,
      f1: null,
      ci95: null,
      em: null,
      f1Any: null,
      f1Always: null,
      recall1: null,
      refused: null,
      tokens: null,
      firstToken: null,
    });
    expect(text).toMatchObject({ supported: true, reason: null, f1: 1, ci95: [1, 1], em: 1, recall1: 1, refused: 0 });
    expect(mixed).toMatchObject({ f1: 0.5, tokens: { text: 100, read: 25 }, firstToken: { p50: 20, p95: 20 } });
  });

  it("sets each context beside text, answer by answer", () => {
    expect(curve.besideText).toEqual([
      {
        rate: 4,
        context: "mixed",
        f1: { difference: -0.5, ci95: [-1, 0], p: expect.any(Number) },
        sooner: { ratio: 3, p5: 2.1, p50: 3, p95: 3.9 },
        tokensRead: 0.25,
      },
    ]);
  });
});

describe("sooner", () => {
  it("leaves out questions without a first token, and is null where none is left", () => {
    expect(sooner([10, 0, 10], [50, 40, 0])).toEqual({ ratio: 5, p5: 5, p50: 5, p95: 5 });
    expect(sooner([0], [40])).toBeNull();
  });
});

describe("the tables", () => {
  it("have a row for each point, and say what is not supported", () => {
    const lines = plainTable(curveTable(curve));
    expect(lines).toHaveLength(4);
    expect(lines[1]).toMatch(/^ +4 {2}memory +not supported +150 +50\.0 %$/);
    expect(lines[3]).toMatch(
      /^ +4 {2}mixed +50\.0 +0\.0–100\.0 +50\.0 +100\.0 +0 of 2 +20 ms +20 ms +25 +100 +150 +50\.0 %$/,
    );
    expect(plainTable(besideTextTable(curve)!)[1]).toMatch(
      /mixed +-50\.0 +-100\.0 to 0\.0 .* 3 times +2\.1–3\.9 +25\.0 %$/,
    );
  });

  it("are none where there is nothing beside text", () => {
    expect(besideTextTable({ ...curve, besideText: [] })).toBeUndefined();
  });
});

describe("ratesPage", () => {
  it("draws F1 with its interval over rate, time and size, a series for each context that is supported", () => {
    const { sections, intro } = ratesPage(curve, { intro: "Two questions." });
    expect(intro).toBe("Two questions.\nNot supported: memory. needs a reader of memories");
    expect(sections.map(({ heading, chart }) => [heading, chart?.x.values])).toEqual([
      ["F1 by rate", [4]],
      ["F1 by time", [20, 60]],
      ["F1 by size", [0.5]],
      ["Figures", undefined],
      ["Beside reading all the text", undefined],
    ]);
    expect(sections[1]!.chart!.series).toEqual([
      { label: "text", values: [null, 100], low: [null, 100], high: [null, 100] },
      { label: "mixed", values: [50, null], low: [0, null], high: [100, null] },
    ]);
  });

  it("is a page also where nothing is supported", () => {
    const empty = { ...curve, points: curve.points.slice(0, 1), besideText: [] };
    expect(reportPage(ratesPage(empty, { intro: "" }))).toContain("not supported");
  });
});

describe("inTurn", () => {
  it("puts each of two first equally often, and each of three", () => {
    const firsts = (items: string[], turns: number) =>
      Array.from({ length: turns }, (_, turn) => inTurn(items, turn)[0])
        .sort()
        .join("");
    expect(firsts(["a", "b"], 4)).toBe("aabb");
    expect(firsts(["a", "b", "c"], 6)).toBe("aabbcc");
    expect(inTurn(["a", "b", "c"], 1)).toEqual(["c", "b", "a"]);
  });
});
