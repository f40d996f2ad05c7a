import type { Evidence } from "@clara/core";
import { logit } from "./confidence.ts";
import type { Span } from "./reader.ts";
import { windowCosines } from "./window-cosines.ts";
import type { Overlap } from "./windows.ts";

/** How far what is known of a span's surroundings moves the choice, in logits of the reader. */
export interface SpanWeights {
  /** Per unit of log-odds of the evidence's score. */
  readonly support: number;
  /** Per unit of cosine between the question and the memory token of the span's window. */
  readonly memory: number;
  /** Where the span's sentence, or row of a table, has all of the question's words, rare ones counting more. */
  readonly words: number;
}

/**
 * The span to answer with. The reader judges each by a few sentences, and likes those of neighbouring rows of a table alike: which of them the
 * question is about, the memory and the question's words say better.
 *
 * @param vector the question's, [D] of length 1; without it, memories say nothing
 * @returns undefined when there is no span; the earlier one of equals
 */
export function chooseSpan(
  spans: readonly Span[],
  evidence: readonly Evidence[],
  { vector, overlap }: { readonly vector?: Float32Array | undefined; readonly overlap: Overlap },
  weights: SpanWeights,
): Span | undefined {
  const cosines = evidence.map(({ memory }) => (memory && vector ? windowCosines(vector, memory) : undefined));
  const value = (span: Span): number => {
    const { score, text } = evidence[span.evidence]!;
    return (
      span.score -
      span.none +
      weights.support * logit(score) +
      weights.memory * cosineAt(span, evidence[span.evidence]!, cosines[span.evidence]) +
      weights.words * overlap(sentenceAround(text, span))
    );
  };
  let best: { span: Span; value: number } | undefined;
  for (const span of spans) {
    const own = value(span);
    if (best === undefined || own > best.value) best = { span, value: own };
  }
  return best?.span;
}

/** That of the window the span is in; the best, where it runs over several; 0 where there is none. */
function cosineAt({ start, end }: Span, { memory }: Evidence, cosines: readonly number[] | undefined): number {
  const own = cosines?.filter((_, m) => memory!.spans[2 * m]! < end && memory!.spans[2 * m + 1]! > start) ?? [];
  return own.length === 0 ? 0 : Math.max(...own);
}

/** From the full stop or line end before the span to that after it. */
function sentenceAround(text: string, { start, end }: Span): string {
  const before = text.slice(0, start);
  const from = Math.max(before.lastIndexOf(". ") + 1, before.lastIndexOf("\n") + 1);
  const after = text.slice(end);
  const length = after.search(/\.\s|\n/u);
  return text.slice(from, length < 0 ? text.length : end + length);
}
