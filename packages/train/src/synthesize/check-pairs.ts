import { ClaraError, type Passage, throwIfAborted } from "@clara/core";
import { random } from "../random.ts";
import { hashOf } from "./draft-pairs.ts";
import { tokenF1 } from "./f1.ts";
import type { Pair, RuleName } from "./pair.ts";

/** What a reader found; null when it had nothing to read. */
export interface Found {
  readonly answer: string;
  /** UTF-16 offsets into the passage's text. */
  readonly start: number;
  readonly end: number;
  /** Best answer's score minus the no-answer score; below 0 the reader would rather not answer. */
  readonly margin: number;
}

export type Check = (question: string, passage: Passage) => Promise<Found | null>;

/** `found`: the reader finds the answer; `hard`: it does not, and the rule is certain; `dropped`: it does not. */
export type Verdict = "found" | "hard" | "dropped";

export interface Checked<P extends Pair = Pair> {
  readonly pair: P;
  readonly verdict: Verdict;
}

export interface CheckOptions {
  /** Token F1 between the reader's answer and the rule's from which they are the same. @default 0.6 */
  readonly leastF1?: number;
  /** Probability that a certain pair which the reader misses is kept: what it does not know yet is worth most. @default 0.5 */
  readonly hard?: number;
  /** @default 0 */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/**
 * The round trip: a reader answers each question from its passage.
 *
 * @throws ClaraError "option" for a pair of a passage that is not there, "aborted"; what `check` throws
 */
export async function* checkPairs<P extends Pair>(
  pairs: Iterable<P>,
  passages: ReadonlyMap<string, Passage>,
  check: Check,
  options: CheckOptions = {},
): AsyncGenerator<Checked<P>, void, undefined> {
  const { leastF1 = 0.6, hard = 0.5, seed = 0, signal } = options;
  for (const pair of pairs) {
    throwIfAborted(signal, "checkPairs");
    const passage = passages.get(pair.passage);
    if (passage === undefined)
      throw new ClaraError(
        "option",
        `checkPairs: pair ${pair.id} is of passage ${pair.passage}, which is not among the ${passages.size} passages`,
      );
    const found = await check(pair.question, passage);
    const same = found !== null && tokenF1(found.answer, pair.answer) >= leastF1;
    const kept = pair.certain && random(seed, hashOf(pair.id)).chance(hard);
    yield { pair, verdict: same ? "found" : kept ? "hard" : "dropped" };
  }
}

export type VerdictCounts = Readonly<Record<Verdict, number>>;

/** How many of each rule were found, hard and dropped; rules in the order of their names. */
export function countVerdicts(checked: readonly Checked[]): Readonly<Partial<Record<RuleName, VerdictCounts>>> {
  const counts: Partial<Record<RuleName, Record<Verdict, number>>> = {};
  for (const rule of [...new Set(checked.map(({ pair }) => pair.rule))].sort())
    counts[rule] = { found: 0, hard: 0, dropped: 0 };
  for (const { pair, verdict } of checked) counts[pair.rule]![verdict]++;
  return counts;
}
