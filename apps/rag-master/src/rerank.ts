import { meanKey, type QuantizedMemory, type QueryStates } from "@clara/compressor";
import type { Hit, Memory, Passage } from "@clara/core";
import { tf } from "@clara/tensor";
import { selectTopK } from "@clara/topk";

/**
 * A logistic fit from how well a passage matches to the probability that it supports an answer.
 * The numbers come with the model; the curve behind them is in docs/calibration.md.
 */
export interface SupportFit {
  readonly bias: number;
  /** Per unit of the model's closeness: for windows the best cosine between the question and a memory token. */
  readonly best: number;
  /** Per unit of the cosine between the question and the mean of the memory. */
  readonly mean: number;
  /** Per unit of word overlap, 0–1. */
  readonly overlap: number;
}

export interface Candidate {
  readonly hit: Hit;
  readonly passage: Passage;
  readonly memory: Memory | QuantizedMemory;
}

export interface Ranked extends Candidate {
  /** 0–1: the estimated probability that the passage supports an answer. */
  readonly score: number;
  readonly features: { readonly best: number; readonly mean: number; readonly overlap: number };
}

export function supportOf({ best, mean, overlap }: Ranked["features"], fit: SupportFit): number {
  return 1 / (1 + Math.exp(-(fit.bias + fit.best * best + fit.mean * mean + fit.overlap * overlap)));
}

/** How close a memory is to a question, -1 to 1, as a model was trained to compare them. */
export type Closeness = (asked: QueryStates, memory: Memory | QuantizedMemory) => number;

export interface RerankOptions {
  readonly k: number;
  readonly fit: SupportFit;
  readonly closeness: Closeness;
  /** How much of the question's words a text holds, 0–1. */
  readonly overlap: (text: string) => number;
}

/**
 * Scores every candidate by its memory and its words, and selects the best `k`.
 *
 * The selection is the differentiable top-k of training, at inference: its forward value is the plain best k.
 */
export async function rerank(
  asked: QueryStates,
  candidates: readonly Candidate[],
  { k, fit, closeness, overlap }: RerankOptions,
): Promise<Ranked[]> {
  if (candidates.length === 0) return [];
  const ranked = candidates.map((candidate): Ranked => {
    const { passage, memory } = candidate;
    const features = {
      best: closeness(asked, memory),
      mean: dot(asked.vector, meanKey(memory)),
      overlap: overlap(`${passage.title}\n${passage.text}`),
    };
    return { ...candidate, features, score: supportOf(features, fit) };
  });
  const { weights, indices } = tf.tidy(() =>
    selectTopK(tf.tensor2d([ranked.map(({ score }) => score)]), Math.min(k, ranked.length)),
  );
  try {
    return [...(await indices.data())].map((index) => ranked[index]!);
  } finally {
    tf.dispose([weights, indices]);
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, d) => sum + value * b[d]!, 0);
}
