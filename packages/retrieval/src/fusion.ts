import { ClaraError, type Hit } from "@clara/core";
import { checkCount, checkRange, describe } from "./check.ts";

/** Hits by the name of the list they come from, best first. */
export type RankedLists = Readonly<Record<string, readonly Pick<Hit, "id" | "score">[]>>;

export interface FusionOptions {
  /** Hits kept, at most. @default all */
  readonly limit?: number;
  /** Name that the hits carry as their source. @default the fusion's own name */
  readonly source?: string;
}

export interface RrfOptions extends FusionOptions {
  /** How much each list counts, 0 or more. @default 1 for each */
  readonly weights?: Readonly<Record<string, number>>;
  /** Larger values make the first ranks less special. @default 60 */
  readonly k?: number;
}

export interface WeightedOptions extends FusionOptions {
  /** How much each list counts, 0 or more. @default 1 for each */
  readonly weights?: Readonly<Record<string, number>>;
}

/**
 * Every hit of every list once, ordered by reciprocal rank so that a cut keeps what the lists agree on.
 *
 * All three fusions: equal scores are ordered by the best rank in any list, then by id; an id that a list repeats counts
 * where it stands first; `from` tells each hit's rank and score in the lists that have it.
 *
 * @throws ClaraError "option" for a limit below 1.
 */
export function unionFusion(lists: RankedLists, { limit, source = "union" }: FusionOptions = {}): Hit[] {
  return rrfFusion(lists, { source, ...(limit === undefined ? {} : { limit }) });
}

/**
 * Reciprocal rank fusion: the sum over lists of weight / (k + rank).
 *
 * @throws ClaraError "option" for a limit below 1, or k or weights that are negative, not finite or of unknown lists.
 * @see Cormack, Clarke & Büttcher 2009, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods".
 */
export function rrfFusion(lists: RankedLists, { weights, k = 60, limit, source = "rrf" }: RrfOptions = {}): Hit[] {
  checkRange("rrfFusion", "k", k, 0, 1e9);
  const weightOf = checkWeights("rrfFusion", lists, weights);
  return fuse(lists, (name, rank) => weightOf(name) / (k + rank), limit, source);
}

/**
 * The weighted sum of scores that are first brought to 0…1 in each list, its worst to its best. The only hit of a list, and
 * hits that are all equal, count as 1; an absent one as 0.
 *
 * @throws ClaraError "option" for a limit below 1, a score that is not finite, or weights as in `rrfFusion`.
 */
export function weightedFusion(lists: RankedLists, options: WeightedOptions = {}): Hit[] {
  const { weights, limit, source = "weighted" } = options;
  const weightOf = checkWeights("weightedFusion", lists, weights);
  const scales = new Map<string, (score: number) => number>();
  for (const [name, hits] of Object.entries(lists)) {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (const { id, score } of hits) {
      if (!Number.isFinite(score)) {
        throw new ClaraError("option", `weightedFusion: scores must be finite, got ${score} for "${id}" in "${name}"`);
      }
      low = Math.min(low, score);
      high = Math.max(high, score);
    }
    // Halved first: the span of two finite numbers can be infinite, that of their halves cannot.
    const span = high / 2 - low / 2;
    scales.set(name, span > 0 ? (score) => (score / 2 - low / 2) / span : () => 1);
  }
  return fuse(lists, (name, _rank, score) => weightOf(name) * scales.get(name)!(score), limit, source);
}

interface Fused {
  readonly id: string;
  score: number;
  best: number;
  readonly from: Record<string, { readonly rank: number; readonly score: number }>;
}

function fuse(
  lists: RankedLists,
  part: (list: string, rank: number, score: number) => number,
  limit: number | undefined,
  source: string,
): Hit[] {
  if (limit !== undefined) checkCount("fusion", "limit", limit);
  const fused = new Map<string, Fused>();
  for (const [name, hits] of Object.entries(lists)) {
    hits.forEach(({ id, score }, i) => {
      const rank = i + 1;
      let hit = fused.get(id);
      if (hit === undefined) {
        hit = { id, score: 0, best: rank, from: {} };
        fused.set(id, hit);
      } else if (Object.hasOwn(hit.from, name)) return;
      hit.score += part(name, rank, score);
      hit.best = Math.min(hit.best, rank);
      hit.from[name] = { rank, score };
    });
  }
  return [...fused.values()]
    .sort((a, b) => b.score - a.score || a.best - b.best || (a.id < b.id ? -1 : 1))
    .slice(0, limit)
    .map(({ id, score, from }, i) => ({ id, score, rank: i + 1, source, from }));
}

function checkWeights(
  where: string,
  lists: RankedLists,
  weights: Readonly<Record<string, number>> | undefined,
): (name: string) => number {
  for (const [name, weight] of Object.entries(weights ?? {})) {
    if (!Object.hasOwn(lists, name)) {
      const names = Object.keys(lists).map((each) => JSON.stringify(each));
      throw new ClaraError("option", `${where}: weights are for ${names.join(" and ")}, got one for ${describe(name)}`);
    }
    checkRange(where, `weights.${name}`, weight, 0, 1e9);
  }
  return (name) => weights?.[name] ?? 1;
}
