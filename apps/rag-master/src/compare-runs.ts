import { ClaraError } from "@clara/core";
import {
  bestOf,
  type EvaluationRecord,
  exactMatch,
  f1Score,
  type PairedDifference,
  pairedBootstrap,
} from "@clara/evaluation";
import type { Outcome } from "./evaluate.ts";

/** This run against an earlier one, over the answerable questions of this run. A difference above 0: this run is better. */
export interface Comparison {
  /** Questions compared. */
  readonly n: number;
  readonly em: PairedDifference;
  readonly f1: PairedDifference;
  readonly f1Any: PairedDifference;
}

/** An earlier run's answers, by `recordKey`. */
export type EarlierRun = ReadonlyMap<string, string>;

/**
 * Compares answers with those of an earlier run on the same questions, pair by pair. A refusal counts as an empty answer.
 *
 * @returns null when none of the questions is answerable
 */
export function compareRuns(outcomes: readonly Outcome[], earlier: EarlierRun): Comparison | null {
  const pairs = outcomes
    .filter(({ record }) => record.answerable)
    .map(({ record, answer }) => ({
      answers: record.answers,
      now: answer.answer ?? "",
      before: earlier.get(recordKey(record))!,
    }));
  if (pairs.length === 0) return null;
  const compared = (measure: (said: string, answers: readonly string[]) => number): PairedDifference => {
    const { difference, interval, p } = pairedBootstrap(
      pairs.map(({ answers, now }) => measure(now, answers)),
      pairs.map(({ answers, before }) => measure(before, answers)),
    );
    const round = (value: number): number => Number(value.toFixed(4));
    return { difference: round(difference), interval: [round(interval[0]), round(interval[1])], p: round(p) };
  };
  return {
    n: pairs.length,
    em: compared((said, answers) => exactMatch(said, answers[0]!)),
    f1: compared((said, answers) => f1Score(said, answers[0]!)),
    f1Any: compared((said, answers) => bestOf(f1Score, said, answers)),
  };
}

/** Ids alone are line numbers in some files. */
export function recordKey({ id, question }: { readonly id: string; readonly question: string }): string {
  return `${id}\n${question}`;
}

/**
 * Reads what `evaluate --predictions` wrote, before this run: it may write to the same file.
 *
 * @param source the file's name, for errors
 * @throws ClaraError "input" when a line is no prediction, or a record of this run has none.
 */
export async function readEarlierRun(
  lines: AsyncIterable<string> | Iterable<string>,
  source: string,
  records: readonly EvaluationRecord[],
): Promise<EarlierRun> {
  const predictions = new Map<string, string>();
  let number = 0;
  for await (const line of lines) {
    number++;
    if (line.trim() === "") continue;
    let value: { id?: unknown; question?: unknown; prediction?: unknown } | null = null;
    try {
      value = JSON.parse(line);
    } catch {
      // said below
    }
    const { id, question, prediction } = value ?? {};
    if (typeof id !== "string" || typeof question !== "string" || typeof prediction !== "string") {
      throw new ClaraError(
        "input",
        `${source} line ${number}: needs the "id", "question" and "prediction" that --predictions writes, got ${line.slice(0, 60)}`,
      );
    }
    predictions.set(recordKey({ id, question }), prediction);
  }
  const missing = records.find((record) => record.answerable && !predictions.has(recordKey(record)));
  if (missing !== undefined) {
    throw new ClaraError(
      "input",
      `${source}: has no prediction for record ${missing.id} ("${missing.question.slice(0, 60)}"); compare with a run on the same questions`,
    );
  }
  return predictions;
}
