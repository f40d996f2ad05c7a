import { ClaraError, type Weights } from "@clara/core";
import type { Encoder, Tokenizer } from "@clara/model";
import type { Sequence } from "./sequences.ts";

/** The best answer inside one clause of one sequence. */
export interface Span {
  readonly evidence: number;
  /** UTF-16 offsets into the evidence's text. */
  readonly start: number;
  readonly end: number;
  /** Start logit plus end logit. */
  readonly score: number;
  /** The sequence's no-answer score: start plus end logit at CLS. */
  readonly none: number;
}

/** Start and end logits are `states · weightᵀ + bias`. */
export interface SpanHead {
  /** [2, D] */
  readonly weight: Float32Array;
  /** [2] */
  readonly bias: Float32Array;
}

/** @throws ClaraError "weights" when the head is missing or of another width. */
export function spanHead(weights: Weights, prefix: string, width: number): SpanHead {
  const weight = weights[`${prefix}.weight`];
  const bias = weights[`${prefix}.bias`];
  if (weight?.data.length !== 2 * width || bias?.data.length !== 2) {
    throw new ClaraError(
      "weights",
      `spanHead: needs ${prefix}.weight [2, ${width}] and ${prefix}.bias [2], got ${weight?.shape ?? "none"} and ${bias?.shape ?? "none"}`,
    );
  }
  return { weight: weight.data, bias: bias.data };
}

export interface ReadOptions {
  /** Longest answer in tokens. @default 30 */
  readonly answerTokens?: number;
  /** Tokens of one batch, padding included. @default 4096 */
  readonly batchTokens?: number;
  readonly signal?: AbortSignal;
}

/**
 * Reads each sequence once and gives the best span of every clause in it, sequence by sequence.
 *
 * A span lies inside one clause: `score` is start + end logit, `none` the same at CLS (SQuAD 2.0's null answer).
 */
export async function readSpans(
  encoder: Encoder,
  head: SpanHead,
  tokenizer: Tokenizer,
  sequences: readonly Sequence[],
  { answerTokens = 30, batchTokens = 4096, signal }: ReadOptions = {},
): Promise<Span[]> {
  const spans: Span[][] = sequences.map(() => []);
  const order = sequences.map((_, index) => index).sort((a, b) => sequences[b]!.ids.length - sequences[a]!.ids.length);
  for (let at = 0; at < order.length; ) {
    const T = sequences[order[at]!]!.ids.length;
    const batch = order.slice(at, at + Math.max(1, Math.floor(batchTokens / T)));
    at += batch.length;
    const ids = new Int32Array(batch.length * T).fill(tokenizer.pad);
    const types = new Int32Array(batch.length * T);
    const mask = new Int32Array(batch.length * T);
    batch.forEach((index, row) => {
      const sequence = sequences[index]!;
      ids.set(sequence.ids, row * T);
      types.set(sequence.types, row * T);
      mask.fill(1, row * T, row * T + sequence.ids.length);
    });
    const states = await encoder.run({ ids, types, mask, shape: [batch.length, T] }, signal ? { signal } : {});
    batch.forEach((index, row) => {
      const rows = states.subarray(row * T * encoder.width, (row + 1) * T * encoder.width);
      spans[index] = bestSpans(sequences[index]!, spanLogits(rows, head, encoder.width), answerTokens);
    });
  }
  return spans.flat();
}

/** @returns start logits [T] and end logits [T] of one sequence's states [T, D]. */
export function spanLogits(
  states: Float32Array,
  { weight, bias }: SpanHead,
  width: number,
): { start: Float32Array; end: Float32Array } {
  const T = states.length / width;
  const start = new Float32Array(T);
  const end = new Float32Array(T);
  for (let t = 0; t < T; t++) {
    let s = bias[0]!;
    let e = bias[1]!;
    for (let d = 0; d < width; d++) {
      const state = states[t * width + d]!;
      s += state * weight[d]!;
      e += state * weight[width + d]!;
    }
    start[t] = s;
    end[t] = e;
  }
  return { start, end };
}

/** The best span of each clause that does not ask the question again; the earlier one of equals, so that runs repeat exactly. */
export function bestSpans(
  { clause, starts, ends, evidence, asks }: Sequence,
  { start, end }: { start: Float32Array; end: Float32Array },
  answerTokens: number,
): Span[] {
  const none = start[0]! + end[0]!;
  const best: (Span | undefined)[] = evidence.map(() => undefined);
  for (let s = 0; s < clause.length; s++) {
    const c = clause[s]!;
    if (c < 0 || asks[c]) continue;
    for (let e = s; e < Math.min(clause.length, s + answerTokens) && clause[e] === c; e++) {
      const score = start[s]! + end[e]!;
      if (score > (best[c]?.score ?? Number.NEGATIVE_INFINITY)) {
        best[c] = { evidence: evidence[c]!, start: starts[s]!, end: ends[e]!, score, none };
      }
    }
  }
  return best.filter((span) => span !== undefined);
}
