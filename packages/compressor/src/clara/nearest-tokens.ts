import { ClaraError } from "@clara/core";

/** A vector for each token, read in parts: the table need not be in memory. */
export interface TokenTable {
  /** Tokens and their width. */
  readonly shape: readonly [V: number, D: number];
  /** Rows `from` to before `to`, [to - from, D], row-major. */
  rows(from: number, to: number): Float32Array;
}

export interface NearToken {
  readonly id: number;
  /** Product of its vector with the one asked for: its logit, where the table is that of a decoder's outputs. */
  readonly score: number;
}

export interface NearestTokensOptions {
  /** Tokens for each vector. @default 8 */
  readonly top?: number;
  /** Tokens that may be named. @default all */
  readonly only?: ((id: number) => boolean) | undefined;
}

/** Numbers of the table that are read at once. */
const numbersAtOnce = 2 ** 22;

/**
 * The tokens whose vectors have the largest products with each of the given ones, best first; equal ones by id. With a
 * decoder's output table this is its logit lens: the words that a memory token of a question would be read as.
 *
 * @param vectors [M·D], row-major
 * @returns [M] lists
 * @throws ClaraError "shape" when the vectors are not rows of the table's width, "option" for an impossible number.
 * @see He et al. 2025, "CLaRa", the figure of what query vectors mean. https://arxiv.org/abs/2511.18659
 */
export function nearestTokens(
  vectors: Float32Array,
  { shape: [V, D], rows }: TokenTable,
  { top = 8, only = () => true }: NearestTokensOptions = {},
): NearToken[][] {
  const M = vectors.length / D;
  if (!Number.isInteger(M)) {
    throw new ClaraError("shape", `nearestTokens: vectors must be rows of ${D} numbers, got ${vectors.length} numbers`);
  }
  if (!Number.isInteger(top) || top < 1) {
    throw new ClaraError("option", `nearestTokens: top must be an integer of at least 1, got ${top}`);
  }
  const best = Array.from({ length: M }, (): NearToken[] => []);
  const step = Math.max(1, Math.floor(numbersAtOnce / D));
  for (let from = 0; from < V; from += step) {
    const to = Math.min(V, from + step);
    const table = rows(from, to);
    for (let id = from; id < to; id++) {
      const row = table.subarray((id - from) * D, (id - from + 1) * D);
      for (let m = 0; m < M; m++) {
        let score = 0;
        for (let d = 0; d < D; d++) score += vectors[m * D + d]! * row[d]!;
        insert(best[m]!, { id, score }, top, only);
      }
    }
  }
  return best;
}

/** Tokens come in the order of their ids: one that is not better than those before it stands behind them. */
function insert(list: NearToken[], token: NearToken, top: number, only: (id: number) => boolean): void {
  const full = list.length === top;
  if (full && !(token.score > list[top - 1]!.score)) return;
  if (!only(token.id)) return;
  if (full) list.pop();
  let at = list.length;
  while (at > 0 && token.score > list[at - 1]!.score) at--;
  list.splice(at, 0, token);
}
