import { ClaraError } from "@clara/core";
import type { HostTensors } from "@clara/engine";
import { layOut, type Sequence } from "@clara/generator";
import type { Tokenizer } from "@clara/model";
import { permutation, random } from "../random.ts";
import type { Batches, TrainingBatch } from "../train-steps.ts";
import { readingCorpus } from "./corpus.ts";
import { type DrawOptions, drawExample, type ReadingExample } from "./draw-example.ts";
import type { SpanRecord } from "./span-record.ts";

export interface ReadingBatchesOptions extends DrawOptions {
  readonly records: readonly SpanRecord[];
  readonly tokenizer: Tokenizer;
  readonly seed: number;
  /** Examples of one step. */
  readonly batchSize: number;
  /** Tokens of one part, padding included. @default 1024 */
  readonly partTokens?: number;
}

interface Row {
  readonly sequence: Sequence;
  readonly first: number;
  readonly last: number;
}

/**
 * Batches for `spanLoss`: inputs ids, types, mask, open [B, T] and spans [B, 2]. What is left over at an epoch's end is left
 * out.
 *
 * @throws ClaraError "option" when the records do not fill a batch.
 */
export function readingBatches({
  records,
  tokenizer,
  seed,
  batchSize,
  partTokens = 1024,
  ...draw
}: ReadingBatchesOptions): Batches {
  if (!(batchSize >= 1 && batchSize <= records.length)) {
    throw new ClaraError(
      "option",
      `readingBatches: batchSize must be from 1 to ${records.length} (the number of records), got ${batchSize}`,
    );
  }
  const corpus = readingCorpus(records);
  return function* (from) {
    for (let { epoch, cursor } = from; ; epoch++, cursor = 0) {
      const order = permutation(records.length, random(seed, epoch));
      for (; cursor + batchSize <= records.length; cursor += batchSize) {
        const examples = Array.from(order.subarray(cursor, cursor + batchSize), (index) =>
          drawExample(records[index]!, corpus, draw, random(seed, epoch, index)),
        );
        const next = { epoch, cursor: cursor + batchSize };
        yield batchOf(examples, tokenizer, partTokens, next);
      }
    }
  };
}

function batchOf(
  examples: readonly ReadingExample[],
  tokenizer: Tokenizer,
  partTokens: number,
  next: TrainingBatch["next"],
): TrainingBatch {
  const rows = examples.map((example) => layOutExample(example, tokenizer));
  rows.sort((a, b) => b.sequence.ids.length - a.sequence.ids.length);
  const parts: HostTensors[] = [];
  for (let at = 0; at < rows.length; ) {
    const count = Math.max(1, Math.floor(partTokens / rows[at]!.sequence.ids.length));
    parts.push(pad(rows.slice(at, at + count), tokenizer.pad));
    at += count;
  }
  return {
    parts,
    divisor: examples.length,
    tokens: rows.reduce((sum, { sequence }) => sum + sequence.ids.length, 0),
    examples: examples.length,
    ids: examples.map(({ id }) => id),
    next,
  };
}

/** The example's one sequence, with the answer's tokens in it; 0 and 0 when it has none. */
export function layOutExample(
  { question, texts, titles, fragments, answer }: ReadingExample,
  tokenizer: Tokenizer,
): Row {
  const sequence = layOut(question, texts, [fragments], tokenizer, { titles })[0]!;
  if (answer === null) return { sequence, first: 0, last: 0 };
  const { clause, starts, ends, evidence } = sequence;
  let first = 0;
  let last = 0;
  for (let t = 0; t < clause.length; t++) {
    const c = clause[t]!;
    if (c < 0 || evidence[c] !== answer.evidence || ends[t]! <= answer.start || starts[t]! >= answer.end) continue;
    if (first === 0) first = t;
    last = t;
  }
  return { sequence, first, last };
}

function pad(rows: readonly Row[], filler: number): HostTensors {
  const B = rows.length;
  const T = rows[0]!.sequence.ids.length;
  const ids = new Int32Array(B * T).fill(filler);
  const [types, mask, open] = [new Int32Array(B * T), new Int32Array(B * T), new Int32Array(B * T)];
  rows.forEach(({ sequence }, row) => {
    ids.set(sequence.ids, row * T);
    types.set(sequence.types, row * T);
    mask.fill(1, row * T, row * T + sequence.ids.length);
    sequence.clause.forEach((clause, t) => {
      if (clause >= 0 || t === 0) open[row * T + t] = 1;
    });
  });
  const spans = Int32Array.from(rows.flatMap(({ first, last }) => [first, last]));
  const shape = [B, T];
  return {
    ids: { data: ids, shape },
    types: { data: types, shape },
    mask: { data: mask, shape },
    open: { data: open, shape },
    spans: { data: spans, shape: [B, 2] },
  };
}
