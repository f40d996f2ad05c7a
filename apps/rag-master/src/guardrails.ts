import type { Generated } from "@clara/core";
import type { Citation } from "./cite.ts";

export type RefusalReason = "out_of_context" | "no_citation" | "low_confidence" | "blocked_input" | "blocked_output";

/** What one rail decided, kept in the answer's record. */
export interface Decision {
  readonly rail: "input" | "retrieval" | "generation" | "citation" | "output";
  readonly pass: boolean;
  /** What was measured, and what it had to reach (or, for characters, not to exceed). */
  readonly score: number;
  readonly threshold: number;
  /** Null when it passed. */
  readonly reason: RefusalReason | null;
}

/** Questions longer than the limit are refused, not cut: a cut question is another question. */
export function inputRail(question: string, { maxCharacters }: { maxCharacters: number }): Decision {
  return decide("input", question.length <= maxCharacters, question.length, maxCharacters, "blocked_input");
}

/** @param best the best support score, 0–1; 0 when nothing was found */
export function retrievalRail(
  best: number,
  { minScore, allowOutOfContext }: { minScore: number; allowOutOfContext: boolean },
): Decision {
  return decide("retrieval", allowOutOfContext || best >= minScore, best, minScore, "out_of_context");
}

/** A model that says itself that the evidence does not have the answer has given none of 1. */
export function generationRail(
  { confidence, declined = false }: Pick<Generated, "confidence" | "declined">,
  { minConfidence }: { minConfidence: number },
): Decision {
  if (declined) return decide("generation", false, 0, 1, "out_of_context");
  return decide("generation", confidence >= minConfidence, confidence, minConfidence, "low_confidence");
}

export function citationRail(
  citations: readonly Citation[],
  { requireCitations }: { requireCitations: boolean },
): Decision {
  const verified = citations.filter((citation) => citation.verified).length;
  return decide("citation", !requireCitations || verified > 0, verified, 1, "no_citation");
}

/** Blocks an answer that holds one of the listed words or phrases, whatever their case. */
export function outputRail(answer: string, { blocked }: { blocked: readonly string[] }): Decision {
  const found = blocked.filter((phrase) => answer.toLowerCase().includes(phrase.toLowerCase())).length;
  return decide("output", found === 0, found, 0, "blocked_output");
}

function decide(
  rail: Decision["rail"],
  pass: boolean,
  score: number,
  threshold: number,
  reason: RefusalReason,
): Decision {
  return { rail, pass, score, threshold, reason: pass ? null : reason };
}
