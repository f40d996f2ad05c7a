import type { Context } from "@clara/core";
import { f1Score, pairedBootstrap, percentile } from "@clara/evaluation";
import { type EvaluationSummary, type Outcome, summarize } from "../evaluate.ts";
import type { Cell, Measured } from "./measure-rates.ts";

/** The quality / milliseconds / bytes curve. */
export interface RateCurve {
  /** Questions. */
  readonly n: number;
  readonly passages: number;
  /** Mean UTF-8 bytes of a passage's text. */
  readonly textBytes: number;
  readonly points: readonly RatePoint[];
  /** Each context but `text` beside `text`, at the same rate. Empty without `text`. */
  readonly besideText: readonly BesideText[];
}

export interface RatePoint {
  readonly rate: number;
  readonly context: Context;
  readonly supported: boolean;
  /** Why it is not supported. */
  readonly reason: string | null;
  /** Mean bytes of a passage's memory in a pack, and their part of its text. */
  readonly bytes: number;
  readonly bytesOfText: number;
  /** Everything below is null where it is not supported. F1 and EM are those of `evaluate`: first answer, a refusal is empty. */
  readonly f1: number | null;
  readonly ci95: readonly [number, number] | null;
  readonly em: number | null;
  readonly f1Any: number | null;
  /** F1 when nothing is refused. */
  readonly f1Always: number | null;
  readonly recall1: number | null;
  readonly refused: number | null;
  /** Means for a question: tokens of the passages' text, and those that were read. */
  readonly tokens: { readonly text: number; readonly read: number } | null;
  /** Milliseconds from the question. */
  readonly firstToken: { readonly p50: number; readonly p95: number } | null;
}

export interface BesideText {
  readonly rate: number;
  readonly context: Context;
  /** F1 less that of `text`, question by question. */
  readonly f1: { readonly difference: number; readonly ci95: readonly [number, number]; readonly p: number } | null;
  /** How many times sooner the first token comes: medians' ratio, and the spread of the questions' ratios. */
  readonly sooner: Sooner | null;
  /** Tokens read, as a part of those that `text` reads. */
  readonly tokensRead: number | null;
}

export interface Sooner {
  /** Median of `text` over median of the other. */
  readonly ratio: number;
  /** Of the ratios question by question. */
  readonly p5: number;
  readonly p50: number;
  readonly p95: number;
}

export function rateCurve({ cells, passages, textBytes, bytes }: Measured): RateCurve {
  const perPassage = (sum: number): number => (passages === 0 ? 0 : sum / passages);
  const points = cells.map((cell): RatePoint => {
    const stored = bytes.get(cell.rate) ?? 0;
    return {
      rate: cell.rate,
      context: cell.context,
      supported: cell.unsupported === null,
      reason: cell.unsupported,
      bytes: round(perPassage(stored), 1),
      bytesOfText: textBytes === 0 ? 0 : round(stored / textBytes, 3),
      ...figures(cell),
    };
  });
  return {
    n: Math.max(0, ...cells.map(({ outcomes }) => outcomes.length)),
    passages,
    textBytes: round(perPassage(textBytes), 1),
    points,
    besideText: besideText(cells),
  };
}

function figures({
  outcomes,
  context,
  rate,
}: Cell): Omit<RatePoint, "rate" | "context" | "supported" | "reason" | "bytes" | "bytesOfText"> {
  const summary: EvaluationSummary | undefined =
    outcomes.length === 0 ? undefined : summarize(outcomes, { context, rate });
  return {
    f1: summary?.f1 ?? null,
    ci95: summary?.ci95.f1 ?? null,
    em: summary?.em ?? null,
    f1Any: summary?.f1Any ?? null,
    f1Always: summary?.always.f1 ?? null,
    recall1: summary?.recall?.["1"] ?? null,
    refused: summary?.refused ?? null,
    tokens: summary
      ? { text: round(summary.tokens.text / summary.n, 1), read: round(summary.tokens.read / summary.n, 1) }
      : null,
    firstToken: summary?.ms.firstToken ?? null,
  };
}

function besideText(cells: readonly Cell[]): BesideText[] {
  return cells.flatMap((cell): BesideText[] => {
    const text = cells.find(({ rate, context }) => rate === cell.rate && context === "text");
    if (cell.context === "text" || !text || text.outcomes.length === 0 || cell.outcomes.length === 0) return [];
    const read = (outcomes: readonly Outcome[]) => outcomes.reduce((sum, { answer }) => sum + answer.tokens.read, 0);
    const all = read(text.outcomes);
    return [
      {
        rate: cell.rate,
        context: cell.context,
        f1: f1Difference(cell.outcomes, text.outcomes),
        sooner: sooner(
          cell.outcomes.map(({ answer }) => answer.timings.firstToken),
          text.outcomes.map(({ answer }) => answer.timings.firstToken),
        ),
        tokensRead: all === 0 ? null : round(read(cell.outcomes) / all, 3),
      },
    ];
  });
}

function f1Difference(outcomes: readonly Outcome[], text: readonly Outcome[]): BesideText["f1"] {
  const f1 = (list: readonly Outcome[]): number[] =>
    list
      .filter(({ record }) => record.answerable)
      .map(({ record, answer }) => f1Score(answer.answer ?? "", record.answers[0]!));
  const values = f1(outcomes);
  if (values.length === 0) return null;
  const { difference, interval, p } = pairedBootstrap(values, f1(text));
  return { difference: round(difference), ci95: [round(interval[0]), round(interval[1])], p: round(p) };
}

/**
 * How many times sooner `ms` are than `textMs`, of the same questions in the same order. A question without a first token in
 * either (0) is left out.
 *
 * @returns null where none is left
 */
export function sooner(ms: readonly number[], textMs: readonly number[]): Sooner | null {
  const pairs = ms.map((value, i) => ({ value, text: textMs[i]! })).filter(({ value, text }) => value > 0 && text > 0);
  if (pairs.length === 0) return null;
  const median = (values: readonly number[]): number => percentile(values, 50);
  const ratios = pairs.map(({ value, text }) => text / value);
  return {
    ratio: round(median(pairs.map(({ text }) => text)) / median(pairs.map(({ value }) => value)), 2),
    p5: round(percentile(ratios, 5), 2),
    p50: round(median(ratios), 2),
    p95: round(percentile(ratios, 95), 2),
  };
}

function round(value: number, digits = 4): number {
  return Number(value.toFixed(digits));
}
