import { ClaraError, type Context } from "@clara/core";
import {
  auroc,
  bestOf,
  bootstrap,
  coverMatch,
  type EvaluationRecord,
  exactMatch,
  expectedCalibrationError,
  f1Score,
  mean,
  percentile,
  precisionRecall,
  type ReliabilityBin,
  recallAt,
  reliability,
} from "@clara/evaluation";
import { type Answer, answer } from "./answer.ts";
import type { RagConfig } from "./config/index.ts";
import type { Corpus } from "./corpus.ts";
import { corpusOfTexts } from "./corpus-of-texts.ts";
import type { Model } from "./model.ts";

export interface Outcome {
  readonly record: EvaluationRecord;
  readonly answer: Answer;
  /** Indices into the record's `docs`, best first, each once. */
  readonly ranked: readonly number[];
}

/** The part of `evaluate --json` that is fixed, and what always answering would have given. */
export interface EvaluationSummary {
  readonly n: number;
  readonly context: Context;
  readonly rate: number;
  readonly em: number | null;
  readonly f1: number | null;
  readonly cover: number | null;
  readonly emAny: number | null;
  readonly f1Any: number | null;
  readonly recall: Readonly<Record<"1" | "3" | "5", number>> | null;
  readonly refused: number;
  readonly refusal: {
    readonly auroc: number | null;
    readonly precision: number | null;
    readonly recall: number | null;
  };
  readonly citations: { readonly given: number; readonly verified: number; readonly holdAnswer: number | null };
  readonly tokens: { readonly text: number; readonly read: number };
  readonly ms: { readonly firstToken: { p50: number; p95: number }; readonly total: { p50: number; p95: number } };
  readonly ci95: { readonly f1: [number, number] | null };
  /** The same measures when no rail refuses: what the model alone can do. */
  readonly always: { readonly em: number | null; readonly f1: number | null; readonly f1Any: number | null };
  /**
   * Whether confidences are what they claim: all drafts, refused or not, in 15 bins of equal width. Right means that half of a
   * draft's words or more, as F1 counts them, are those of a gold answer; a draft where nothing answers is wrong.
   */
  readonly calibration: { readonly ece: number | null; readonly bins: readonly ReliabilityBin[] };
}

/** As in Guo et al. 2017, table 1. */
const calibrationBins = 15;

export interface EvaluateOptions {
  readonly context: Context;
  /** Searched by records without `docs`. */
  readonly corpus?: Corpus;
  readonly signal?: AbortSignal;
}

/** Answers each record: from its own documents, or from the corpus. */
export async function* evaluate(
  records: AsyncIterable<EvaluationRecord> | Iterable<EvaluationRecord>,
  model: Model,
  config: RagConfig,
  { corpus, ...options }: EvaluateOptions,
): AsyncGenerator<Outcome, void, undefined> {
  for await (const record of records) {
    const source = (await corpusOfRecord(record, model, config.compression.rate)) ?? corpus;
    if (source === undefined) throw missingDocuments(record);
    yield evaluateRecord(record, source, model, config, options);
  }
}

/** The record's own documents, one candidate each and never split; undefined when it has none. */
export async function corpusOfRecord(
  { docs }: EvaluationRecord,
  model: Model,
  rate: number,
): Promise<Corpus | undefined> {
  if (docs === undefined) return undefined;
  const given = docs.map((text, index) => ({ id: String(index), text }));
  return corpusOfTexts(given, model, rate, { split: false });
}

/** One record's answer, with a draft where a rail refused, so that both can be measured. */
export async function evaluateRecord(
  record: EvaluationRecord,
  corpus: Corpus,
  model: Model,
  config: RagConfig,
  options: Omit<EvaluateOptions, "corpus">,
): Promise<Outcome> {
  const given = await answer(record.question, corpus, model, config, { ...options, draft: true });
  return { record, answer: given, ranked: record.docs ? given.hits.map(({ document }) => Number(document)) : [] };
}

function missingDocuments({ id }: EvaluationRecord): ClaraError {
  return new ClaraError("input", `evaluate: record ${id} has no "docs" and there is no corpus to search instead`);
}

/**
 * Answer measures over the answerable records, a refusal counting as an empty answer; refusal measures over all.
 *
 * `refusal.auroc` asks how well the confidence of a draft tells answerable from unanswerable questions.
 */
export function summarize(
  outcomes: readonly Outcome[],
  { context, rate }: { context: Context; rate: number },
): EvaluationSummary {
  const answerable = outcomes.filter(({ record }) => record.answerable);
  const measured = (measure: Measure, text: (answer: Answer) => string, any = false) =>
    answerable.map(({ record, answer: given }) =>
      any ? bestOf(measure, text(given), record.answers) : measure(text(given), record.answers[0]!),
    );
  const said = (given: Answer) => given.answer ?? "";
  const draft = (given: Answer) => given.draft ?? "";
  const f1 = measured(f1Score, said);
  const judged = outcomes.map(placesOf).filter((places) => places !== undefined);
  const recall = (k: number) => mean(judged.map(({ ranked, gold }) => recallAt(ranked, gold, k)));
  const citations = outcomes.flatMap(({ answer: given }) => given.citations.map((citation) => ({ citation, given })));
  const refused = outcomes.map(({ answer: given }) => given.refused);
  const { precision, recall: refusalRecall } = precisionRecall(
    refused,
    outcomes.map(({ record }) => !record.answerable),
  );
  const times = (name: "firstToken" | "total") => {
    const values = outcomes.map(({ answer: given }) => given.timings[name]).filter((ms) => ms > 0);
    return values.length === 0
      ? { p50: 0, p95: 0 }
      : { p50: round(percentile(values, 50), 1), p95: round(percentile(values, 95), 1) };
  };
  return {
    n: outcomes.length,
    context,
    rate,
    em: share(measured(exactMatch, said)),
    f1: share(f1),
    cover: share(measured(coverMatch, said)),
    emAny: share(measured(exactMatch, said, true)),
    f1Any: share(measured(f1Score, said, true)),
    recall: judged.length === 0 ? null : { 1: round(recall(1)), 3: round(recall(3)), 5: round(recall(5)) },
    refused: refused.filter(Boolean).length,
    refusal: {
      auroc: rounded(
        auroc(
          outcomes.map(({ answer: given }) => given.confidence),
          outcomes.map(({ record }) => record.answerable),
        ),
      ),
      precision: rounded(precision),
      recall: rounded(refusalRecall),
    },
    citations: {
      given: citations.length,
      verified: citations.filter(({ citation }) => citation.verified).length,
      holdAnswer: share(
        citations.map(({ citation, given }) => (citation.quote.includes(given.answer ?? "\0") ? 1 : 0)),
      ),
    },
    tokens: {
      text: outcomes.reduce((sum, { answer: given }) => sum + given.tokens.text, 0),
      read: outcomes.reduce((sum, { answer: given }) => sum + given.tokens.read, 0),
    },
    ms: { firstToken: times("firstToken"), total: times("total") },
    ci95: { f1: f1.length === 0 ? null : (bootstrap(f1).map((value) => round(value)) as [number, number]) },
    always: {
      em: share(measured(exactMatch, draft)),
      f1: share(measured(f1Score, draft)),
      f1Any: share(measured(f1Score, draft, true)),
    },
    calibration: calibrationOf(outcomes),
  };
}

/** The ranked documents and the gold ones: of the record's own, or of the corpus; undefined where no gold is known. */
function placesOf({
  record,
  ranked,
  answer: { hits },
}: Outcome): { readonly ranked: readonly unknown[]; readonly gold: ReadonlySet<unknown> } | undefined {
  if (record.docs === undefined && record.document !== undefined) {
    // A document of the corpus is many passages: it counts once, where its first one stands.
    return { ranked: [...new Set(hits.map(({ document }) => document))], gold: new Set([record.document]) };
  }
  return record.positive && record.positive.length > 0 ? { ranked, gold: new Set(record.positive) } : undefined;
}

function calibrationOf(outcomes: readonly Outcome[]): EvaluationSummary["calibration"] {
  const drafted = outcomes.filter(({ answer: { draft } }) => draft !== null);
  if (drafted.length === 0) return { ece: null, bins: [] };
  const confidences = drafted.map(({ answer: { confidence } }) => confidence);
  const right = drafted.map(
    ({ record, answer: { draft } }) => record.answerable && bestOf(f1Score, draft!, record.answers) >= 0.5,
  );
  const bins = reliability(confidences, right, calibrationBins).map((bin) => ({
    low: round(bin.low),
    high: round(bin.high),
    n: bin.n,
    confidence: round(bin.confidence),
    accuracy: round(bin.accuracy),
  }));
  return { ece: round(expectedCalibrationError(confidences, right, calibrationBins)), bins };
}

type Measure = (prediction: string, gold: string) => number;

function share(values: readonly number[]): number | null {
  return values.length === 0 ? null : round(mean(values));
}

function rounded(value: number | null): number | null {
  return value === null ? null : round(value);
}

function round(value: number, digits = 4): number {
  return Number(value.toFixed(digits));
}
