import { describe, expect, it } from "vitest";
import type { Citation } from "./cite.ts";
import { citationRail, generationRail, inputRail, outputRail, retrievalRail } from "./guardrails.ts";

const citation = (verified: boolean): Citation => ({
  passage: "a.md#0",
  document: "a.md",
  title: "A",
  quote: "two years",
  start: 0,
  end: 9,
  line: 1,
  verified,
});

describe("inputRail", () => {
  it("lets a question of exactly the limit pass, and refuses one more character", () => {
    expect(inputRail("12345", { maxCharacters: 5 })).toEqual({
      rail: "input",
      pass: true,
      score: 5,
      threshold: 5,
      reason: null,
    });
    expect(inputRail("123456", { maxCharacters: 5 })).toMatchObject({ pass: false, score: 6, reason: "blocked_input" });
  });
});

describe("retrievalRail", () => {
  it("needs the best passage to reach the minimum score", () => {
    expect(retrievalRail(0.55, { minScore: 0.55, allowOutOfContext: false })).toMatchObject({
      rail: "retrieval",
      pass: true,
      reason: null,
    });
    expect(retrievalRail(0.549, { minScore: 0.55, allowOutOfContext: false })).toEqual({
      rail: "retrieval",
      pass: false,
      score: 0.549,
      threshold: 0.55,
      reason: "out_of_context",
    });
  });

  it("passes whatever was found when out of context is allowed, and still says what was measured", () => {
    expect(retrievalRail(0, { minScore: 0.55, allowOutOfContext: true })).toMatchObject({
      pass: true,
      score: 0,
      threshold: 0.55,
    });
  });
});

describe("generationRail", () => {
  it("refuses an answer below the confidence that is asked for", () => {
    expect(generationRail({ confidence: 0.3 }, { minConfidence: 0.3 })).toMatchObject({
      rail: "generation",
      pass: true,
      reason: null,
    });
    expect(generationRail({ confidence: 0.29 }, { minConfidence: 0.3 })).toMatchObject({
      pass: false,
      reason: "low_confidence",
    });
    expect(generationRail({ confidence: 0 }, { minConfidence: 0 }).pass).toBe(true);
  });

  it("refuses what a model says itself to be no answer, however sure it is", () => {
    expect(generationRail({ confidence: 1, declined: true }, { minConfidence: 0 })).toEqual({
      ...{ rail: "generation", pass: false, score: 0, threshold: 1, reason: "out_of_context" },
    });
  });
});

describe("citationRail", () => {
  it("counts verified citations only", () => {
    expect(citationRail([citation(false), citation(true)], { requireCitations: true })).toMatchObject({
      rail: "citation",
      pass: true,
      score: 1,
      threshold: 1,
    });
    expect(citationRail([citation(false)], { requireCitations: true })).toMatchObject({
      pass: false,
      score: 0,
      reason: "no_citation",
    });
    expect(citationRail([], { requireCitations: true })).toMatchObject({ pass: false, reason: "no_citation" });
  });

  it("lets an answer without citations pass where none are required", () => {
    expect(citationRail([], { requireCitations: false })).toMatchObject({ pass: true, score: 0, reason: null });
  });
});

describe("outputRail", () => {
  it("refuses an answer that holds a blocked phrase, whatever its case", () => {
    expect(outputRail("Call our HOTLINE now", { blocked: ["hotline", "fax"] })).toEqual({
      rail: "output",
      pass: false,
      score: 1,
      threshold: 0,
      reason: "blocked_output",
    });
    expect(outputRail("ÖL and water", { blocked: ["öl"] }).pass).toBe(false);
  });

  it("passes everything when nothing is blocked", () => {
    expect(outputRail("Call our hotline", { blocked: [] })).toMatchObject({ pass: true, score: 0, reason: null });
  });
});
