import { type Analyzer, bm25, englishAnalyzer } from "@clara/retrieval";
import { describe, expect, it } from "vitest";
import { overlapWith } from "./overlap.ts";

const words: Analyzer = { id: "words", analyze: (text) => text.toLowerCase().match(/[a-z]+/g) ?? [] };

/** The retriever's idf of a term that n of N passages hold. */
const idf = (n: number, N: number): number => Math.log(1 + (N - n + 0.5) / (n + 0.5));

describe("overlapWith", () => {
  it("is 1 for a text with all words of the question, 0 for one with none", () => {
    const overlap = overlapWith("red tent", words, () => idf(1, 10), 10);
    expect(overlap("a tent that is red")).toBe(1);
    expect(overlap("a blue stove")).toBe(0);
    expect(overlap("")).toBe(0);
  });

  it("counts a word once, however often it stands in question or text", () => {
    const overlap = overlapWith("tent tent stove", words, () => idf(1, 10), 10);
    expect(overlap("tent tent tent")).toBeCloseTo(0.5, 12);
  });

  it("counts rare words more, the more so the larger the collection is", () => {
    const overlapAt = (size: number) =>
      overlapWith("tent stove", words, (term) => (term === "stove" ? idf(0, size) : idf(size / 2, size)), size);
    expect(overlapAt(10)("stove")).toBeGreaterThan(0.5);
    expect(overlapAt(10_000)("stove")).toBeGreaterThan(overlapAt(10)("stove"));
    expect(overlapAt(10_000)("stove") + overlapAt(10_000)("tent")).toBeCloseTo(1, 12);
  });

  it("has the weights that its formula gives by hand", () => {
    // N = 10: "tent" in 4 passages, "stove" in none. With a hundred unseen passages: ln(1 + (110 − n − ½) / (n + 1½)).
    const overlap = overlapWith("tent stove", words, (term) => (term === "tent" ? idf(4, 10) : idf(0, 10)), 10);
    const tent = Math.log(1 + 105.5 / 5.5);
    const stove = Math.log(1 + 109.5 / 1.5);
    expect(overlap("tent")).toBeCloseTo(tent / (tent + stove), 9);
  });

  it("is 0 for a question without words", () => {
    expect(overlapWith("?!", words, () => 1, 10)("tent")).toBe(0);
  });

  it("works with the retriever's own idf and analyzer, inflected words included", async () => {
    const sparse = bm25();
    const passage = { id: "a", document: "a", title: "", text: "Tents are light.", start: 0, end: 16, metadata: {} };
    await sparse.apply({ upsert: [passage] });
    expect(overlapWith("Which tent?", englishAnalyzer, sparse.idf, 1)("Tents are light.")).toBeGreaterThan(0);
  });
});
