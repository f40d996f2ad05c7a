import type { Generator as AnswerGenerator, Passage } from "@clara/core";
import {
  type Check,
  type Checked,
  checkPairs,
  countVerdicts,
  type Draft,
  draftPairs,
  permutation,
  type RuleName,
  random,
  tokenF1,
  type UnanswerablePair,
  unanswerablePairs,
  type VerdictCounts,
} from "@clara/train";

/** The embedded reader as what checks pairs: it reads the passage whole. */
export function readerCheck(generator: AnswerGenerator, signal: AbortSignal): Check {
  return async (question, { id, title, text }) => {
    const generated = await generator.generate({ text: question }, [{ id, title, text, score: 1 }], {
      context: "text",
      signal,
    });
    const quote = generated?.quotes[0];
    return generated && quote
      ? { answer: generated.answer, start: quote.start, end: quote.end, margin: generated.margin }
      : null;
  };
}

export interface FromRulesOptions {
  /** Records in all, at most. */
  readonly limit: number;
  readonly seed: number;
  /** Unanswerable questions for one answerable one, 0 to 1. */
  readonly unanswerable: number;
  /** Null: every draft is kept, unchecked. */
  readonly check: Check | null;
  readonly signal: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface FromRules {
  readonly drafted: number;
  readonly pairs: readonly Draft[];
  readonly unanswerable: readonly UnanswerablePair[];
  /** Per rule, of the drafts that were looked at before the limit was reached. */
  readonly rules: Readonly<Partial<Record<RuleName, VerdictCounts>>>;
  /** Unanswerable questions that the reader had an answer for, and that were left out for it. */
  readonly doubtful: number;
}

/** An unanswerable question that the reader answers with this much margin may have an answer after all. */
const sureMargin = 6;

/** Pairs by rules, each checked by the reader. With a limit they are drawn from all over the collection. */
export async function fromRules(passages: readonly Passage[], options: FromRulesOptions): Promise<FromRules> {
  const { limit, seed, unanswerable: share, check, signal, onProgress } = options;
  const drafts = draftPairs(passages, { seed });
  const byId = new Map(passages.map((passage) => [passage.id, passage]));
  const order = Number.isFinite(limit)
    ? [...permutation(drafts.length, random(seed, 7))].map((i) => drafts[i]!)
    : drafts;
  const verdicts = check === null ? unchecked(order) : checkPairs(order, byId, check, { seed, signal });
  const checked: Checked<Draft>[] = [];
  const kept: Draft[] = [];
  const keep = async (count: number): Promise<void> => {
    const total = Number.isFinite(limit) ? Math.min(limit, order.length) : order.length;
    while (kept.length < count) {
      const { value, done } = await verdicts.next();
      if (done) return;
      checked.push(value);
      if (value.verdict !== "dropped") kept.push(value.pair);
      onProgress?.(Number.isFinite(limit) ? kept.length : checked.length, total);
    }
  };
  await keep(Math.min(limit, Math.max(1, Math.round(limit / (1 + share)))));

  const without = new Set<UnanswerablePair>();
  let doubtful = 0;
  const answers = new Map(kept.map(({ id, answer }) => [id, answer]));
  const wanted = Math.min(Math.round(kept.length * share), limit - kept.length);
  // A few more than are wanted, since the reader will refuse some; taken from all over.
  const candidates = unanswerablePairs(kept, passages, { share: Math.min(1, share * 1.3), seed });
  for (const index of permutation(candidates.length, random(seed, 8))) {
    if (without.size >= wanted) break;
    const pair = candidates[index]!;
    const found = check === null ? null : await check(pair.question, byId.get(pair.passage)!);
    const same = found !== null && found.margin > 0 && tokenF1(found.answer, answers.get(pair.from)!) >= 0.6;
    if (same || (found !== null && found.margin > sureMargin)) doubtful++;
    else without.add(pair);
  }
  await keep(limit - without.size);
  const places = new Map(drafts.map(({ id }, i) => [id, i]));
  const pairs = kept.sort((a, b) => places.get(a.id)! - places.get(b.id)!);
  return {
    drafted: drafts.length,
    pairs,
    unanswerable: candidates.filter((pair) => without.has(pair)),
    rules: countVerdicts(checked),
    doubtful,
  };
}

async function* unchecked(drafts: readonly Draft[]): AsyncGenerator<Checked<Draft>, void, undefined> {
  for (const pair of drafts) yield { pair, verdict: "found" };
}
