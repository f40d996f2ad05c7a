import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bestOf, coverMatch, exactMatch, f1Score, normalizeAnswer, splitWords } from "./answers.ts";
import { mean } from "./statistics.ts";

const fixture = new URL("../../../../shared/fixtures/clara-tiny/metrics.json", import.meta.url);
const shared = existsSync(fixture);

interface Pair {
  prediction: string;
  golds: string[];
  normalized_prediction: string;
  normalized_golds: string[];
  exact_match: number[];
  cover_exact_match: number[];
  f1: number[];
}

describe("splitWords", () => {
  it("splits where the reference's language does, and gives no empty words", () => {
    expect(splitWords(" a\x85b \x1cc\ufeff\n")).toEqual(["a", "b", "c\ufeff"]);
    expect([splitWords(""), splitWords(" \n")]).toEqual([[], []]);
  });
});

describe("answer measures", () => {
  it.each([
    ["The Alsobia genus.", "Alsobia", 1, 0, 2 / 3],
    ["yards: 1,925", "1,925 yards", 1, 0, 1],
    ["yes, it is", "yes", 1, 0, 0],
    ["True", "yes", 1, 1, 1],
    ["true", "yes", 0, 0, 0],
    ["New York City in the U.S.", "new york, US", 1, 0, 0.75],
    ["York New", "New York", 1, 0, 1],
    ["A", "a", 1, 1, 0],
    ["Paris", "", 1, 0, 0],
    ["it’s Paris", "its Paris", 0, 0, 0.5],
    ["co-op", "coop", 1, 1, 1],
    ["São Paulo", "Sao Paulo", 0, 0, 0.5],
  ])("give %j for %j: cover %d, exact %d, F1 %f", (prediction, gold, cover, exact, f1) => {
    expect(coverMatch(prediction, gold)).toBe(cover);
    expect(exactMatch(prediction, gold)).toBe(exact);
    expect(f1Score(prediction, gold)).toBeCloseTo(f1, 12);
  });

  it("count a repeated word as often as both sides have it", () => {
    // Common: one "no way"; precision 2/3, recall 2/2.
    expect(f1Score("no no way", "no way")).toBeCloseTo(0.8, 12);
  });

  it("remove articles as whole words of any script", () => {
    expect(normalizeAnswer("An apple a day, the théa-a")).toBe("apple day théaa");
    expect(normalizeAnswer("théa aé ça")).toBe("théa aé ça");
    expect(normalizeAnswer("the\u00a0 cat\u2003sat\u001fdown\ufeff")).toBe("cat sat down\ufeff");
  });

  it("take the best of all gold answers, and refuse an empty list", () => {
    expect(bestOf(exactMatch, "Paris", ["London", "paris!"])).toBe(1);
    expect(bestOf(f1Score, "big Paris", ["London", "Paris"])).toBeCloseTo(2 / 3, 12);
    expect(() => bestOf(exactMatch, "Paris", [])).toThrow(/bestOf: needs at least 1 gold answer/);
  });

  it.skipIf(!shared)("agree with the reference on every recorded pair (needs ../shared/fixtures)", () => {
    const { pairs, reference_mean, best_alias_mean } = JSON.parse(readFileSync(fixture, "utf8")) as {
      pairs: Pair[];
      reference_mean: Record<string, { f1: number; acc: number; em: number }>;
      best_alias_mean: { exact_match: number; cover_exact_match: number; f1: number };
    };
    for (const pair of pairs) {
      const { prediction, golds } = pair;
      expect(normalizeAnswer(prediction), prediction).toBe(pair.normalized_prediction);
      expect(golds.map(normalizeAnswer), prediction).toEqual(pair.normalized_golds);
      expect(
        golds.map((gold) => exactMatch(prediction, gold)),
        prediction,
      ).toEqual(pair.exact_match);
      expect(
        golds.map((gold) => coverMatch(prediction, gold)),
        prediction,
      ).toEqual(pair.cover_exact_match);
      for (const [i, gold] of golds.entries()) {
        expect(f1Score(prediction, gold), prediction).toBeCloseTo(pair.f1[i] ?? Number.NaN, 12);
      }
    }
    const first = reference_mean.golden_answers;
    expect(mean(pairs.map((p) => f1Score(p.prediction, p.golds[0] ?? "")))).toBeCloseTo(first?.f1 ?? Number.NaN, 12);
    expect(mean(pairs.map((p) => coverMatch(p.prediction, p.golds[0] ?? "")))).toBeCloseTo(
      first?.acc ?? Number.NaN,
      12,
    );
    expect(mean(pairs.map((p) => bestOf(f1Score, p.prediction, p.golds)))).toBeCloseTo(best_alias_mean.f1, 12);
  });
});
