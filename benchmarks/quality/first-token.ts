// How many times sooner the first token comes when windows are read instead of whole documents: by hand, on an idle machine, with
//   bench.ts <data folder> --part first-token
import { type EvaluationRecord, percentile } from "@clara/evaluation";
import type { RagConfig } from "../../apps/rag-master/src/config/index.ts";
import type { Model } from "../../apps/rag-master/src/model.ts";
import { measureRates, type Sooner, sooner } from "../../apps/rag-master/src/rates/index.ts";

export interface FirstToken {
  readonly n: number;
  readonly rate: number;
  /** Documents of a record. */
  readonly documents: number;
  /** Those of them that an answer may use: the reranker's `top_k`. */
  readonly topK: number;
  /** Milliseconds to the first token. */
  readonly ms: Readonly<Record<"mixed" | "text", { readonly p50: number; readonly p95: number }>>;
  readonly sooner: Sooner;
  /** Means for a question. */
  readonly tokensRead: Readonly<Record<"mixed" | "text", number>>;
}

/**
 * Times `mixed` and `text` on the same records in turns: the one that comes first changes from record to record. The memories are
 * there before, as in a pack; the time counts from the question.
 */
export async function measureFirstToken(
  records: readonly EvaluationRecord[],
  model: Model,
  config: RagConfig,
  { rate, topK }: { readonly rate: number; readonly topK: number },
): Promise<FirstToken> {
  const settings = { ...config, reranking: { ...config.reranking, topK } };
  const { cells } = await measureRates(records, model, settings, { rates: [rate], contexts: ["text", "mixed"] });
  const [text, mixed] = cells.map(({ outcomes }) => ({
    ms: outcomes.map(({ answer }) => answer.timings.firstToken),
    read: outcomes.reduce((sum, { answer }) => sum + answer.tokens.read, 0) / outcomes.length,
  }));
  const ratio = sooner(mixed!.ms, text!.ms);
  if (ratio === null) throw new Error("no question had a first token");
  return {
    n: records.length,
    rate,
    documents: Math.max(...records.map(({ docs = [] }) => docs.length)),
    topK,
    ms: { mixed: spread(mixed!.ms), text: spread(text!.ms) },
    sooner: ratio,
    tokensRead: { mixed: Math.round(mixed!.read), text: Math.round(text!.read) },
  };
}

function spread(ms: readonly number[]): { p50: number; p95: number } {
  return { p50: Number(percentile(ms, 50).toFixed(1)), p95: Number(percentile(ms, 95).toFixed(1)) };
}
