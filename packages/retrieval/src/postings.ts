import type { Hit } from "@clara/core";
import type { Entry } from "./ledger.ts";
import { topK } from "./top-k.ts";

/** A passage as counted terms. */
export interface Counted extends Entry {
  /** Terms in the passage, repetitions included. */
  readonly length: number;
  /** [2·U]: for each different term its number and its count. */
  readonly counts: Uint32Array;
}

export interface Bm25Parameters {
  /** How soon repetitions of a term stop counting. */
  readonly k1: number;
  /** How much long passages are held back, 0 to 1. */
  readonly b: number;
}

/**
 * How telling a term is that `n` of `N` passages contain: Lucene's form, which is never negative.
 *
 * @see Robertson & Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond", §3.
 */
export function inverseDocumentFrequency(N: number, n: number): number {
  return Math.log1p((N - n + 0.5) / (n + 0.5));
}

/** For each term the passages that contain it, in typed arrays. Never changed: built anew when the passages change. */
export interface Postings {
  /** Passages that contain term `t`. */
  frequency(t: number): number;
  /**
   * The k best passages with a positive score.
   *
   * @param terms Term number to how often the question has it; a term counts that many times.
   */
  search(terms: ReadonlyMap<number, number>, k: number, passes: (entry: Entry) => boolean, source: string): Hit[];
}

/** @param V Term numbers in `passages` are below it. */
export function buildPostings(passages: readonly Counted[], V: number, { k1, b }: Bm25Parameters): Postings {
  const N = passages.length;
  const starts = new Uint32Array(V + 1);
  let total = 0;
  for (const { counts, length } of passages) {
    total += length;
    for (let i = 0; i < counts.length; i += 2) starts[counts[i]! + 1]!++;
  }
  for (let t = 0; t < V; t++) starts[t + 1]! += starts[t]!;

  const size = starts[V]!;
  const where = new Uint32Array(size); // passage numbers, term by term
  const often = new Uint32Array(size); // counts
  const damping = new Float64Array(N); // k1 · (1 - b + b · length / average length)
  const next = starts.slice(0, V);
  const average = total / N;
  passages.forEach(({ counts, length }, p) => {
    damping[p] = k1 * (1 - b + (average > 0 ? (b * length) / average : 0));
    for (let i = 0; i < counts.length; i += 2) {
      const at = next[counts[i]!]!++;
      where[at] = p;
      often[at] = counts[i + 1]!;
    }
  });

  // Kept between searches and left all zero after each: a search runs in one go.
  const scores = new Float64Array(N);
  const touched = new Uint32Array(N);

  function frequency(t: number): number {
    return t < V ? starts[t + 1]! - starts[t]! : 0;
  }

  return {
    frequency,
    search(terms, k, passes, source) {
      let count = 0;
      for (const [t, times] of terms) {
        const weight = times * inverseDocumentFrequency(N, frequency(t)) * (k1 + 1);
        for (let at = starts[t]!, end = starts[t + 1]!; at < end; at++) {
          const p = where[at]!;
          const tf = often[at]!;
          if (scores[p] === 0) touched[count++] = p; // every addition is positive: zero means new
          scores[p]! += (weight * tf) / (tf + damping[p]!);
        }
      }
      const best = topK(k);
      for (let i = 0; i < count; i++) {
        const p = touched[i]!;
        const score = scores[p]!;
        scores[p] = 0;
        const entry = passages[p]!;
        if (best.wants(score, entry.id) && passes(entry)) best.offer(score, entry.id);
      }
      return best.hits(source);
    },
  };
}
