import type { PairedDifference } from "@clara/evaluation";
import type { Comparison } from "../../apps/rag-master/src/compare-runs.ts";
import type { EvaluationSummary } from "../../apps/rag-master/src/evaluate.ts";
import type { RetrievalSummary } from "../../apps/rag-master/src/evaluate-retrieval.ts";
import type { FirstToken } from "./first-token.ts";

/** Markdown: one line per set and way of searching. */
export function searchTable(sets: Readonly<Record<string, readonly RetrievalSummary[]>>): string {
  return [
    "| Set | Search | n | recall@1 | recall@5 | recall@25 | nDCG@10 | MRR@10 | ms p50 |",
    "|---|---|---|---|---|---|---|---|---|",
    ...Object.entries(sets).flatMap(([name, summaries]) =>
      summaries.map(({ retriever, n, recall, ndcg, mrr, ms }) =>
        row([
          name,
          retriever,
          n,
          percent(recall[1]),
          percent(recall[5]),
          percent(recall[25]),
          percent(ndcg[10]),
          percent(mrr[10]),
          ms.p50.toFixed(1),
        ]),
      ),
    ),
  ].join("\n");
}

/** Markdown: one line per file and context. */
export function answerTable(files: Readonly<Record<string, readonly EvaluationSummary[]>>): string {
  return [
    "| File | Context | n | F1 | F1, any answer | F1 always | F1 always, any | 95 % of F1 | recall@1 / @5 | refused | AUROC | ECE | tokens read | of | ms p50 | first token p50 | quotes verified |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ...Object.entries(files).flatMap(([name, summaries]) =>
      summaries.map(({ context, n, f1, f1Any, always, ci95, recall, refused, refusal, calibration, ...rest }) =>
        row([
          name,
          context,
          n,
          percent(f1),
          percent(f1Any),
          percent(always.f1),
          percent(always.f1Any),
          ci95.f1 === null ? "–" : `${percent(ci95.f1[0])}–${percent(ci95.f1[1])}`,
          recall === null ? "–" : `${percent(recall[1])} / ${percent(recall[5])}`,
          refused,
          refusal.auroc === null ? "–" : refusal.auroc.toFixed(3),
          calibration.ece === null ? "–" : calibration.ece.toFixed(3),
          Math.round(rest.tokens.read / n),
          Math.round(rest.tokens.text / n),
          rest.ms.total.p50.toFixed(0),
          rest.ms.firstToken.p50.toFixed(0),
          `${rest.citations.verified} of ${rest.citations.given}`,
        ]),
      ),
    ),
  ].join("\n");
}

/** `mixed` less `text`, and both, F1 with the best of the gold answers. */
export interface Difference extends Comparison {
  readonly text: number | null;
  readonly mixed: number | null;
}

/** Markdown: `mixed` less `text`, answer by answer. */
export function differenceTable(files: Readonly<Record<string, Difference>>): string {
  const cells = ({ difference, interval, p }: PairedDifference) => [
    `${signed(difference)} (${signed(interval[0])} to ${signed(interval[1])})`,
    p.toFixed(3),
  ];
  return [
    "| File | n | text, F1 any | mixed, F1 any | difference | p | difference of EM | p |",
    "|---|---|---|---|---|---|---|---|",
    ...Object.entries(files).map(([name, { n, text, mixed, em, f1Any }]) =>
      row([name, n, percent(text), percent(mixed), ...cells(f1Any), ...cells(em)]),
    ),
  ].join("\n");
}

/** Markdown: one line per file and number of documents that are read. */
export function firstTokenTable(files: Readonly<Record<string, readonly FirstToken[]>>): string {
  return [
    "| File | n | documents | read at most | text, ms p50 / p95 | mixed, ms p50 / p95 | times sooner | 5–95 % of questions | tokens read, text / mixed |",
    "|---|---|---|---|---|---|---|---|---|",
    ...Object.entries(files).flatMap(([name, list]) =>
      list.map(({ n, documents, topK, ms, sooner, tokensRead }) =>
        row([
          name,
          n,
          documents,
          topK,
          `${ms.text.p50} / ${ms.text.p95}`,
          `${ms.mixed.p50} / ${ms.mixed.p95}`,
          sooner.ratio,
          `${sooner.p5}–${sooner.p95}`,
          `${tokensRead.text} / ${tokensRead.mixed}`,
        ]),
      ),
    ),
  ].join("\n");
}

function signed(value: number): string {
  return `${value > 0 ? "+" : ""}${(100 * value).toFixed(1)}`;
}

function percent(value: number | null): string {
  return value === null ? "–" : (100 * value).toFixed(1);
}

function row(cells: readonly (string | number)[]): string {
  return `| ${cells.join(" | ")} |`;
}
