import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ndcgAt, precisionAt, recallAt, reciprocalRank } from "./ranking.ts";
import { mean } from "./statistics.ts";

const fixture = new URL("../../../../shared/fixtures/clara-tiny/retrieval-metrics.json", import.meta.url);
const shared = existsSync(fixture);

describe("ranking measures", () => {
  const ranked = ["a", "b", "c", "d"];

  it("count what is among the first k", () => {
    const relevant = new Set(["b", "d", "z"]);
    expect(recallAt(ranked, relevant, 1)).toBe(0);
    expect(recallAt(ranked, relevant, 2)).toBeCloseTo(1 / 3, 12);
    expect(recallAt(ranked, relevant, 10)).toBeCloseTo(2 / 3, 12);
    expect(precisionAt(ranked, relevant, 2)).toBe(0.5);
    expect(precisionAt(ranked, relevant, 10)).toBe(0.2);
    expect(reciprocalRank(ranked, relevant, 10)).toBe(0.5);
    expect(reciprocalRank(ranked, relevant, 1)).toBe(0);
    expect(reciprocalRank([], relevant)).toBe(0);
  });

  it("give 0 when nothing is relevant, and count an id that comes twice once", () => {
    expect([
      recallAt(ranked, new Set(), 3),
      ndcgAt(ranked, new Set(), 3),
      reciprocalRank(ranked, new Map(), 3),
    ]).toEqual([0, 0, 0]);
    expect(recallAt(["a", "a"], new Set(["a", "b"]), 2)).toBe(0.5);
    expect(ndcgAt(["a", "a"], new Set(["a"]), 2)).toBe(1);
  });

  it("weigh grades by the logarithm of the rank", () => {
    const grades = new Map([
      ["a", 1],
      ["c", 3],
      ["d", 0],
    ]);
    // (1/log2 2 + 3/log2 4) / (3/log2 2 + 1/log2 3)
    expect(ndcgAt(ranked, grades, 10)).toBeCloseTo(2.5 / (3 + 1 / Math.log2(3)), 12);
    expect(ndcgAt(ranked, grades, 1)).toBeCloseTo(1 / 3, 12);
    expect(ndcgAt(["c", "a"], grades, 10)).toBe(1);
    // A grade of 0 is a judgement that the document is not relevant.
    expect(recallAt(["d"], grades, 1)).toBe(0);
    expect(recallAt(["c"], grades, 1)).toBe(0.5);
  });

  it("name a bad k", () => {
    expect(() => recallAt(ranked, new Set(), 0)).toThrow("recallAt: k must be a whole number from 1, got 0");
    expect(() => ndcgAt(ranked, new Set(), 1.5)).toThrow("ndcgAt: k must be a whole number from 1, got 1.5");
  });

  it.skipIf(!shared)("agree with the reference's recall and precision (needs ../shared/fixtures)", () => {
    const { cases, evaluation_script_mean } = JSON.parse(readFileSync(fixture, "utf8")) as {
      cases: ({ pos_index: number[]; topk_indices: number[] } & Record<string, number>)[];
      evaluation_script_mean: Record<string, number>;
    };
    for (const k of [1, 3, 5]) {
      const recalls = cases.map((c) => recallAt(c.topk_indices, new Set(c.pos_index), k));
      const precisions = cases.map((c) => precisionAt(c.topk_indices, new Set(c.pos_index), k));
      for (const [i, c] of cases.entries()) {
        expect(recalls[i]).toBeCloseTo(c[`recall@${k}`] ?? Number.NaN, 12);
        expect(precisions[i]).toBeCloseTo(c[`precision@${k}`] ?? Number.NaN, 12);
      }
      expect(mean(recalls)).toBeCloseTo(evaluation_script_mean[`recall@${k}`] ?? Number.NaN, 12);
      expect(mean(precisions)).toBeCloseTo(evaluation_script_mean[`precision@${k}`] ?? Number.NaN, 12);
    }
  });
});
