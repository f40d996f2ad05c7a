import { ClaraError, type Context, throwIfAborted } from "@clara/core";
import type { EvaluationRecord } from "@clara/evaluation";
import type { RagConfig } from "../config/index.ts";
import type { Corpus } from "../corpus.ts";
import { corpusOfRecord, evaluateRecord, type Outcome } from "../evaluate.ts";
import type { Model } from "../model.ts";
import { storedBytes } from "./memory-bytes.ts";
import { onceForAllRates } from "./once-for-all-rates.ts";

/** One rate in one context: what all questions gave. */
export interface Cell {
  readonly rate: number;
  readonly context: Context;
  readonly outcomes: readonly Outcome[];
  /** Why the model cannot do it; then there are no outcomes. */
  readonly unsupported: string | null;
}

export interface Measured {
  /** Rate by rate in the order asked for, in each the contexts. */
  readonly cells: readonly Cell[];
  readonly passages: number;
  readonly textBytes: number;
  /** Bytes of memories in a pack, for each rate. */
  readonly bytes: ReadonlyMap<number, number>;
}

/** Searched by records without documents of their own. */
export interface SharedCorpus {
  readonly passages: readonly string[];
  /** @param model the one to compress with */
  compress(rate: number, model: Model): Promise<Corpus>;
}

export interface MeasureRatesOptions {
  readonly rates: readonly number[];
  readonly contexts: readonly Context[];
  readonly shared?: SharedCorpus | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Answers every question at every rate in every context. All of them take turns at each question, in an order that changes from
 * question to question, so that other work on the machine slows them alike. The first question is asked once more before, off
 * the clock: the first runs of a model take longer.
 *
 * @throws ClaraError "input" for a record without documents where nothing is shared, "aborted" when the signal fires.
 */
export async function measureRates(
  records: readonly EvaluationRecord[],
  model: Model,
  config: RagConfig,
  { rates, contexts, shared, signal, onProgress }: MeasureRatesOptions,
): Promise<Measured> {
  const cells = rates.flatMap((rate) =>
    contexts.map((context) => ({ rate, context, outcomes: [] as Outcome[], unsupported: null as string | null })),
  );
  const ladder: Model = { ...model, compressor: onceForAllRates(model.compressor, rates) };
  const bytes = new Map(rates.map((rate) => [rate, 0]));
  let passages = 0;
  let textBytes = 0;
  const atAllRates = async (ids: readonly string[], compress: (rate: number) => Promise<Corpus>) => {
    const corpora = new Map<number, Corpus>();
    for (const rate of rates) {
      const corpus = await compress(rate);
      corpora.set(rate, corpus);
      bytes.set(rate, bytes.get(rate)! + storedBytes(corpus, ids));
    }
    const { passage } = corpora.get(rates[0]!)!;
    passages += ids.length;
    textBytes += ids.reduce((sum, id) => sum + Buffer.byteLength(passage(id).text), 0);
    return corpora;
  };
  const common = shared && (await atAllRates(shared.passages, (rate) => shared.compress(rate, ladder)));

  const ask = async (cell: (typeof cells)[number], record: EvaluationRecord, corpora: Map<number, Corpus>) => {
    const { rate, context } = cell;
    const settings = { ...config, compression: { ...config.compression, rate } };
    try {
      return await evaluateRecord(record, corpora.get(rate)!, model, settings, { context, ...(signal && { signal }) });
    } catch (error) {
      if (!(error instanceof ClaraError) || error.code !== "unsupported") throw error;
      cell.unsupported = error.message;
      return undefined;
    }
  };

  for (const [turn, record] of records.entries()) {
    throwIfAborted(signal, "measureRates");
    onProgress?.(turn, records.length);
    const ids = record.docs?.map((_, index) => String(index));
    const own = ids && (await atAllRates(ids, async (rate) => (await corpusOfRecord(record, ladder, rate))!));
    const corpora = own ?? common;
    if (corpora === undefined) {
      throw new ClaraError("input", `bench --rates: record ${record.id} has no "docs"; name the folder to search`);
    }
    if (turn === 0) for (const cell of cells) await ask(cell, record, corpora);
    for (const cell of inTurn(cells, turn)) {
      if (cell.unsupported !== null) continue;
      const outcome = await ask(cell, record, corpora);
      if (outcome) cell.outcomes.push(outcome);
    }
  }
  onProgress?.(records.length, records.length);
  // A model that refuses in the middle would leave a part of the questions: no figures for that.
  const kept = cells.map((cell) => (cell.unsupported === null ? cell : { ...cell, outcomes: [] }));
  return { cells: kept, passages, textBytes, bytes };
}

/** Every second turn backwards, and after two turns another one first: each comes before each other equally often. */
export function inTurn<T>(items: readonly T[], turn: number): T[] {
  const first = Math.floor(turn / 2) % items.length;
  const order = [...items.slice(first), ...items.slice(0, first)];
  return turn % 2 === 0 ? order : order.reverse();
}
