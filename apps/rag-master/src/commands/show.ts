import type { Answer, AnswerHit } from "../answer.ts";
import type { Citation } from "../cite.ts";
import type { RagConfig } from "../config/index.ts";
import { formatCitations, type Terminal } from "../terminal/index.ts";

/** The fixed shape of `ask --json`. What else led to the answer is in its record. */
export function answerJson({
  question,
  answer,
  refused,
  reason,
  confidence,
  citations,
  hits,
  tokens,
  timings,
  record,
}: Answer): object {
  return {
    question,
    answer,
    refused,
    reason,
    confidence: digits(confidence),
    citations: citations.map(citationJson),
    hits: hits.map(hitJson),
    tokens,
    timings,
    record,
  };
}

function citationJson({ passage, document, title, quote, start, end, verified }: Citation): object {
  return { passage, document, title, quote, start, end, verified };
}

export function hitJson({ passage, document, score, rank, from }: AnswerHit): object {
  const parts = Object.entries(from).map(([name, part]) => [name, { rank: part.rank, score: digits(part.score) }]);
  return { passage, document, score: digits(score), rank, from: Object.fromEntries(parts) };
}

export function digits(value: number): number {
  return Number(value.toFixed(4));
}

const because: Record<NonNullable<Answer["reason"]>, string> = {
  out_of_context: "no passage supports an answer well enough",
  no_citation: "no quote could be verified",
  low_confidence: "the answer is too uncertain",
  blocked_input: "the question is longer than the configuration allows",
  blocked_output: "the answer holds a blocked text",
};

/** What follows the streamed answer on a terminal: its citations, or why there is none. */
export function showAnswer(given: Answer, { cognitiveBrain }: RagConfig, terminal: Terminal): void {
  if (given.refused) {
    const failed = given.decisions.find(({ pass }) => !pass);
    // Of what the model says itself nothing was measured.
    const bySelf = failed?.rail === "generation" && failed.reason === "out_of_context";
    const why = bySelf ? "the model found no answer in what it was given" : because[given.reason!];
    const numbers = failed && !bySelf ? ` (${failed.rail}: ${digits(failed.score)}, needs ${failed.threshold})` : "";
    terminal.print(`${cognitiveBrain.refusalMessage}\n${terminal.colors.dim(`${why}${numbers}`)}`);
    return;
  }
  terminal.print(`\n${formatCitations(given.citations, terminal.colors)}`);
  terminal.info(
    `confidence ${given.confidence.toFixed(2)} · read ${given.tokens.read} of ${given.tokens.text} tokens · ${Math.round(given.timings.total)} ms`,
  );
}
