import { ClaraError } from "@clara/core";

/** The relevant ids: a set, or a map from id to grade, of which grades above 0 are relevant. */
export type Relevant<Id> = ReadonlySet<Id> | ReadonlyMap<Id, number>;

function gradeOf<Id>(relevant: Relevant<Id>, id: Id): number {
  if ("get" in relevant) return Math.max(0, relevant.get(id) ?? 0);
  return relevant.has(id) ? 1 : 0;
}

function gradesOf<Id>(relevant: Relevant<Id>): number[] {
  if ("get" in relevant) return [...relevant.values()].filter((grade) => grade > 0);
  return Array.from(relevant, () => 1);
}

function checkCutoff(where: string, k: number): void {
  if (!Number.isInteger(k) || k < 1)
    throw new ClaraError("option", `${where}: k must be a whole number from 1, got ${k}`);
}

/** Relevant ids among the first `k`, each counted once. */
function found<Id>(ranked: readonly Id[], relevant: Relevant<Id>, k: number): number {
  let count = 0;
  for (const id of new Set(ranked.slice(0, k))) if (gradeOf(relevant, id) > 0) count++;
  return count;
}

/**
 * The part of the relevant ids that is among the first `k`; 0 when nothing is relevant, as in the reference's evaluation script.
 *
 * @param ranked ids, best first
 */
export function recallAt<Id>(ranked: readonly Id[], relevant: Relevant<Id>, k: number): number {
  checkCutoff("recallAt", k);
  const wanted = gradesOf(relevant).length;
  return wanted === 0 ? 0 : found(ranked, relevant, k) / wanted;
}

/** The relevant part of the first `k`. Divided by `k` even when fewer ids came, as in the reference. */
export function precisionAt<Id>(ranked: readonly Id[], relevant: Relevant<Id>, k: number): number {
  checkCutoff("precisionAt", k);
  return found(ranked, relevant, k) / k;
}

/** 1 / rank of the first relevant id within the first `k`; 0 when there is none. */
export function reciprocalRank<Id>(
  ranked: readonly Id[],
  relevant: Relevant<Id>,
  k: number = ranked.length || 1,
): number {
  checkCutoff("reciprocalRank", k);
  const at = ranked.slice(0, k).findIndex((id) => gradeOf(relevant, id) > 0);
  return at < 0 ? 0 : 1 / (at + 1);
}

/**
 * Normalised discounted cumulative gain: grade / log2(rank + 1), summed over the first `k`, over the best possible sum.
 * The gain is the grade itself, as in trec_eval and BEIR. 0 when nothing is relevant. An id that comes again gains nothing.
 *
 * @see Järvelin & Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques"
 */
export function ndcgAt<Id>(ranked: readonly Id[], relevant: Relevant<Id>, k: number): number {
  checkCutoff("ndcgAt", k);
  const best = gradesOf(relevant)
    .sort((a, b) => b - a)
    .slice(0, k);
  if (best.length === 0) return 0;
  const seen = new Set<Id>();
  const gains = ranked.slice(0, k).map((id) => {
    if (seen.has(id)) return 0;
    seen.add(id);
    return gradeOf(relevant, id);
  });
  return discounted(gains) / discounted(best);
}

function discounted(gains: readonly number[]): number {
  return gains.reduce((sum, gain, at) => sum + gain / Math.log2(at + 2), 0);
}
