import type { EvaluationRecord } from "@clara/evaluation";
import { describe, expect, it } from "vitest";
import type { Answer } from "./answer.ts";
import type { Citation } from "./cite.ts";
import { type Outcome, summarize } from "./evaluate.ts";

interface Made {
  readonly record: Partial<EvaluationRecord>;
  readonly said: string | null;
  readonly draft?: string | null;
  readonly confidence: number;
  readonly quotes?: readonly [quote: string, verified: boolean][];
  readonly ranked?: readonly number[];
  readonly firstToken?: number;
  /** Documents of the hits, for records without `docs`. */
  readonly hits?: readonly string[];
}

function outcome({
  record,
  said,
  draft = said,
  confidence,
  quotes = [],
  ranked = [],
  firstToken = 10,
  hits = [],
}: Made): Outcome {
  const citations = quotes.map(
    ([quote, verified]): Citation => ({
      passage: "p",
      document: "d",
      title: "",
      quote,
      start: 0,
      end: quote.length,
      line: 1,
      verified,
    }),
  );
  const answer: Answer = {
    question: "?",
    answer: said,
    refused: said === null,
    reason: said === null ? "out_of_context" : null,
    confidence,
    citations,
    hits: hits.map((document, i) => ({
      passage: `${document}#${i}`,
      document,
      score: 1,
      rank: i + 1,
      from: {},
      features: { best: 1, mean: 1, overlap: 1 },
    })),
    tokens: { text: 100, read: 20 },
    timings: { retrieve: 1, rerank: 1, firstToken, total: 20 },
    record: "r",
    decisions: [],
    margin: 0,
    draft,
  };
  return { record: { id: "1", question: "?", answers: [], answerable: true, ...record }, answer, ranked };
}

/** Right; right by the second answer only; refused although its draft was right; rightly refused; wrongly answered. */
const five = [
  outcome({
    record: { answers: ["60 days"], positive: [1] },
    said: "60 days",
    confidence: 0.9,
    quotes: [["within 60 days", true]],
    ranked: [1, 0],
  }),
  outcome({
    record: { answers: ["red wool", "blue"], positive: [1] },
    said: "blue",
    confidence: 0.8,
    ranked: [0, 2, 1],
  }),
  outcome({ record: { answers: ["Paris"] }, said: null, draft: "Paris", confidence: 0.3 }),
  outcome({ record: { answerable: false }, said: null, draft: "Rome", confidence: 0.2, firstToken: 0 }),
  outcome({ record: { answerable: false }, said: "Rome", confidence: 0.85, quotes: [["invented", false]] }),
];

describe("summarize", () => {
  const summary = summarize(five, { context: "mixed", rate: 16 });

  it("measures answers over the answerable records, a refusal counting as an empty answer", () => {
    expect(summary).toMatchObject({ n: 5, context: "mixed", rate: 16, em: 0.3333, f1: 0.3333, cover: 0.3333 });
  });

  it("takes the first answer for em and f1, the best of all for emAny and f1Any", () => {
    expect(summary).toMatchObject({ emAny: 0.6667, f1Any: 0.6667 });
  });

  it("says what always answering would have given", () => {
    expect(summary.always).toEqual({ em: 0.6667, f1: 0.6667, f1Any: 1 });
  });

  it("measures refusals over all records", () => {
    // Refused: one answerable, one not. Of the 6 pairs, the answerable question has the higher confidence in 4.
    expect(summary).toMatchObject({ refused: 2, refusal: { precision: 0.5, recall: 0.5, auroc: 0.6667 } });
  });

  it("measures recall over the records with gold documents", () => {
    expect(summary.recall).toEqual({ 1: 0.5, 3: 1, 5: 1 });
  });

  it("measures recall of the named document where the corpus was searched, each document counted once", () => {
    const searched = (document: string) =>
      outcome({ record: { answers: ["x"], document }, said: "x", confidence: 1, hits: ["a.md", "a.md", "b.md"] });
    const { recall } = summarize([searched("a.md"), searched("b.md"), searched("c.md")], { context: "text", rate: 4 });
    expect(recall).toEqual({ 1: 0.3333, 3: 0.6667, 5: 0.6667 });
  });

  it("compares confidences with how many drafts were right, in 15 bins", () => {
    // 0.9, 0.8 and 0.3 were right (the draft of a refusal counts), 0.2 and 0.85 were not: 0.2 + 0.7 + 2 · 0.325 + 0.1, over 5.
    expect(summary.calibration).toEqual({
      ece: 0.33,
      bins: [
        { low: 0.2, high: 0.2667, n: 1, confidence: 0.2, accuracy: 0 },
        { low: 0.2667, high: 0.3333, n: 1, confidence: 0.3, accuracy: 1 },
        { low: 0.8, high: 0.8667, n: 2, confidence: 0.825, accuracy: 0.5 },
        { low: 0.8667, high: 0.9333, n: 1, confidence: 0.9, accuracy: 1 },
      ],
    });
    const nothing = outcome({ record: { answerable: false }, said: null, confidence: 0 });
    expect(summarize([nothing], { context: "text", rate: 4 }).calibration).toEqual({ ece: null, bins: [] });
  });

  it("counts citations, those that hold, and those that have the answer in them", () => {
    expect(summary.citations).toEqual({ given: 2, verified: 1, holdAnswer: 0.5 });
  });

  it("adds tokens up, and leaves questions without a first token out of its times", () => {
    expect(summary.tokens).toEqual({ text: 500, read: 100 });
    expect(summary.ms).toEqual({ firstToken: { p50: 10, p95: 10 }, total: { p50: 20, p95: 20 } });
  });

  it("gives an interval around f1", () => {
    const [low, high] = summary.ci95.f1!;
    expect(low).toBeLessThanOrEqual(0.3333);
    expect(high).toBeGreaterThanOrEqual(0.3333);
  });

  it("gives null where there is nothing to measure", () => {
    expect(summarize([five[3]!], { context: "text", rate: 4 })).toMatchObject({
      n: 1,
      em: null,
      f1: null,
      emAny: null,
      recall: null,
      refusal: { auroc: null, precision: 1, recall: 1 },
      citations: { given: 0, verified: 0, holdAnswer: null },
      ci95: { f1: null },
      always: { em: null },
    });
    expect(summarize([five[0]!], { context: "text", rate: 4 }).refusal).toEqual({
      auroc: null,
      precision: null,
      recall: null,
    });
  });
});
