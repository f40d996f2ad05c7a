import type { Hit, Memory, Passage } from "@clara/core";
import { tf } from "@clara/tensor";
import { maxSim, selectTopK } from "@clara/topk";

/**
 * A logistic fit from how well a passage matches to the probability that it supports an answer.
 * The numbers come with the model; the curve behind them is in docs/calibration.md.
 */
export interface SupportFit {
  readonly bias: number;
  /** Per unit of the best cosine between the question and a memory token. */
  readonly best: number;
  /** Per unit of the cosine between the question and the mean of the memory. */
  readonly mean: number;
  /** Per unit of word overlap, 0–1. */
  readonly overlap: number;
}

export interface Candidate {
  readonly hit: Hit;
  readonly passage: Passage;
  readonly memory: Memory;
}

export interface Ranked extends Candidate {
  /** 0–1: the estimated probability that the passage supports an answer. */
  readonly score: number;
  readonly features: { readonly best: number; readonly mean: number; readonly overlap: number };
}

export function supportOf({ best, mean, overlap }: Ranked["features"], fit: SupportFit): number {
  return 1 / (1 + Math.exp(-(fit.bias + fit.best * best + fit.mean * mean + fit.overlap * overlap)));
}

/**
 * Scores every candidate by its memory and its words, and selects the best `k`.
 *
 * The selection is the differentiable top-k of training, at inference: its forward value is the plain best k.
 *
 * @param query [D] unit vector of the question
 */
export async function rerank(
  query: Float32Array,
  candidates: readonly Candidate[],
  { k, fit, overlap }: { k: number; fit: SupportFit; overlap: (text: string) => number },
): Promise<Ranked[]> {
  if (candidates.length === 0) return [];
  const best = await bestCosines(query, candidates);
  const ranked = candidates.map((candidate, index): Ranked => {
    const { passage, memory } = candidate;
    const features = {
      best: best[index]!,
      mean: meanCosine(query, memory),
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

async function bestCosines(query: Float32Array, candidates: readonly Candidate[]): Promise<Float32Array> {
  const D = query.length;
  const N = candidates.length;
  const M = Math.max(...candidates.map(({ memory }) => memory.count));
  const vectors = new Float32Array(N * M * D);
  const mask = new Float32Array(N * M);
  candidates.forEach(({ memory }, n) => {
    vectors.set(memory.vectors, n * M * D);
    mask.fill(1, n * M, n * M + memory.count);
  });
  const scores = tf.tidy(() =>
    maxSim(tf.tensor2d(query, [1, D]), tf.tensor3d(vectors, [N, M, D]), { mask: tf.tensor2d(mask, [N, M]) }),
  ); // [N]
  try {
    return (await scores.data()) as Float32Array;
  } finally {
    scores.dispose();
  }
}

function meanCosine(query: Float32Array, { vectors, tokens, count, width }: Memory): number {
  const mean = new Float64Array(width);
  for (let m = 0; m < count; m++) {
    for (let d = 0; d < width; d++) mean[d]! += vectors[m * width + d]! * tokens[m]!;
  }
  let dot = 0;
  let square = 0;
  mean.forEach((value, d) => {
    dot += value * query[d]!;
    square += value * value;
  });
  return square === 0 ? 0 : dot / Math.sqrt(square);
}
