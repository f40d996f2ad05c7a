import {
  type AnswerMeasure,
  bestOf,
  coverMatch,
  exactMatch,
  f1Score,
  mean,
  normalizeAnswer,
  splitWords,
} from "@clara/evaluation";
import type { Group } from "../group.ts";
import { MEASURE } from "../tolerances.ts";

interface Pair {
  readonly prediction: string;
  readonly golds: readonly string[];
  readonly normalized_prediction: string;
  readonly normalized_golds: readonly string[];
  readonly exact_match: readonly number[];
  readonly cover_exact_match: readonly number[];
  readonly f1: readonly number[];
}

interface Metrics {
  readonly pairs: readonly Pair[];
  readonly reference_mean: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly best_alias_mean: Readonly<Record<"exact_match" | "cover_exact_match" | "f1", number>>;
}

/** Which gold answer the reference looks at, where a record has several. */
const goldOf: Readonly<Record<string, (golds: readonly string[]) => string>> = {
  golden_answers: (golds) => golds[0] ?? "",
  answer_is_last_gold: (golds) => golds.at(-1) ?? "",
};

/** Measures of answers. */
export const metrics: Group = {
  name: "metrics",
  async run({ folder }, checks) {
    const { pairs, reference_mean, best_alias_mean } = folder.json<Metrics>("metrics.json");
    const numbers = (of: (pair: Pair) => readonly number[]) => ({ data: pairs.flatMap(of) });
    const each = (measure: AnswerMeasure) =>
      numbers(({ prediction, golds }) => golds.map((gold) => measure(prediction, gold)));
    await checks.attempt("metrics/normalized", () => {
      checks.same(
        "metrics/normalized",
        pairs.map(({ prediction, golds }) => [normalizeAnswer(prediction), golds.map(normalizeAnswer)]),
        pairs.map(({ normalized_prediction, normalized_golds }) => [normalized_prediction, normalized_golds]),
      );
    });
    await checks.attempt("metrics/pairs", () => {
      checks.close(
        "metrics/exact_match",
        each(exactMatch),
        numbers((pair) => pair.exact_match),
        MEASURE,
      );
      checks.close(
        "metrics/cover_exact_match",
        each(coverMatch),
        numbers((pair) => pair.cover_exact_match),
        MEASURE,
      );
      checks.close(
        "metrics/f1",
        each(f1Score),
        numbers((pair) => pair.f1),
        MEASURE,
      );
    });
    for (const [which, recorded] of Object.entries(reference_mean)) {
      const name = `metrics/reference_mean/${which}`;
      await checks.attempt(name, () => {
        const choose = goldOf[which];
        if (!choose) return checks.skip(name, "is a choice of gold answers that is not known");
        const average = (measure: AnswerMeasure): number =>
          mean(pairs.map(({ prediction, golds }) => measure(prediction, choose(golds))));
        const ours: Record<string, number> = {
          f1: average(f1Score),
          acc: average(coverMatch),
          em: average(exactMatch),
          avg_output_length: mean(pairs.map(({ prediction }) => splitWords(prediction).length)),
        };
        const of = Object.entries(recorded);
        checks.worst(
          name,
          of.map(([key, value]) => ({ what: key, error: Math.abs((ours[key] ?? Number.NaN) - value) })),
          MEASURE,
        );
      });
    }
    await checks.attempt("metrics/best_alias_mean", () => {
      const best = (measure: AnswerMeasure): number =>
        mean(pairs.map(({ prediction, golds }) => bestOf(measure, prediction, golds)));
      const measures = { exact_match: exactMatch, cover_exact_match: coverMatch, f1: f1Score };
      const parts = Object.entries(measures).map(([key, measure]) => ({
        what: key,
        error: Math.abs(best(measure) - best_alias_mean[key as keyof typeof measures]),
      }));
      checks.worst("metrics/best_alias_mean", parts, MEASURE);
    });
  },
};
