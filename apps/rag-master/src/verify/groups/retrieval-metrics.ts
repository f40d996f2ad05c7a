import { mean, precisionAt, recallAt } from "@clara/evaluation";
import type { Group } from "../group.ts";
import { MEASURE } from "../tolerances.ts";

type Case = { readonly pos_index: readonly number[]; readonly topk_indices: readonly number[] };

interface RetrievalMetrics {
  readonly cases: readonly (Case & Readonly<Record<string, number>>)[];
  readonly evaluation_script_mean: Readonly<Record<string, number>>;
  readonly trainer_mean: Readonly<Record<string, number>>;
  readonly trainer_valid_samples: number;
}

/** Recall and precision by a name such as `recall@3` or `precision_5`; undefined for another. */
export function retrievalMeasure(name: string): ((found: Case) => number) | undefined {
  const [, kind, k] = /^(recall|precision)[@_](\d+)$/.exec(name) ?? [];
  if (k === undefined) return undefined;
  const measure = kind === "recall" ? recallAt : precisionAt;
  return ({ pos_index, topk_indices }) => measure(topk_indices, new Set(pos_index), Number(k));
}

/** Measures of retrieval, per question and averaged in both of the reference's ways. */
export const retrievalMetrics: Group = {
  name: "retrieval-metrics",
  async run({ folder }, checks) {
    const file = folder.json<RetrievalMetrics>("retrieval-metrics.json");
    const valid = file.cases.filter(({ pos_index }) => pos_index.length > 0);
    await checks.attempt("retrieval-metrics/cases", () => {
      const parts = file.cases.flatMap((entry, i) =>
        Object.keys(entry).flatMap((key) => {
          const measure = retrievalMeasure(key);
          return measure ? [{ what: `case ${i} ${key}`, error: Math.abs(measure(entry) - entry[key]!) }] : [];
        }),
      );
      checks.worst("retrieval-metrics/cases", parts, MEASURE);
    });
    for (const [name, over] of [
      ["evaluation_script_mean", file.cases],
      // The trainer leaves questions without a right document out.
      ["trainer_mean", valid],
    ] as const) {
      await checks.attempt(`retrieval-metrics/${name}`, () => {
        const parts = Object.entries(file[name]).map(([key, wanted]) => {
          const measure = retrievalMeasure(key);
          return { what: key, error: measure ? Math.abs(mean(over.map(measure)) - wanted) : Number.NaN };
        });
        checks.worst(`retrieval-metrics/${name}`, parts, MEASURE);
      });
    }
    checks.same("retrieval-metrics/trainer_valid_samples", valid.length, file.trainer_valid_samples);
  },
};
