import { ClaraError } from "@clara/core";
import type { HostTensors } from "@clara/engine";
import type { Tokenizer } from "@clara/model";
import { permutation, type Random, random } from "../random.ts";
import { readingCorpus } from "../reading/corpus.ts";
import type { SpanRecord } from "../reading/span-record.ts";
import type { Batches } from "../train-steps.ts";
import { memoryTokens, type PassageStates, type PassageStore } from "./passage-states.ts";

export interface MemoryBatchesOptions {
  /** Each with an answer. */
  readonly records: readonly SpanRecord[];
  /** Where the passages are compressed, once each. */
  readonly store: PassageStore;
  readonly tokenizer: Tokenizer;
  readonly seed: number;
  /** Passages of one step. */
  readonly batchSize: number;
  /** Examples of one part. @default 16 */
  readonly partSize?: number;
  /** Questions of one passage that follow each other, at most: more of them, fewer passages to compress. @default 1 */
  readonly together?: number;
  /** Rates, one of them drawn for each part. @default [4, 8, 16, 16, 32] */
  readonly rates?: readonly number[];
  /** Share of the questions that are asked of another passage of the subject. @default 0.3 */
  readonly astray?: number;
}

/** Tokens of a question, CLS and SEP included. */
const questionRoom = 48;

interface Example {
  readonly id: string;
  readonly question: readonly number[];
  readonly record: SpanRecord;
  readonly text: string;
  readonly title: string | undefined;
  readonly answered: boolean;
  readonly overlap: (text: string) => number;
}

/**
 * Batches for a reader of memories whose passages are compressed already: the inputs of `readMemories` and
 * `pointerLogits`, with `spans` [B, 2], `open` [B, T] and `holds` [B, M].
 */
export function memoryBatches(options: MemoryBatchesOptions): Batches {
  const { records, store, tokenizer, seed, batchSize } = options;
  const { partSize = 16, together = 1, rates = [4, 8, 16, 16, 32], astray = 0.3 } = options;
  if (!(batchSize >= 1 && batchSize <= records.length)) {
    throw new ClaraError(
      "option",
      `memoryBatches: batchSize must be from 1 to ${records.length} (the number of records), got ${batchSize}`,
    );
  }
  const corpus = readingCorpus(records);
  return async function* (from) {
    for (let { epoch, cursor } = from; ; epoch++, cursor = 0) {
      const order = drawn(records, together, random(seed, epoch));
      for (; cursor + batchSize <= records.length; cursor += batchSize) {
        const examples = Array.from(order.subarray(cursor, cursor + batchSize), (index): Example => {
          const rng = random(seed, epoch, index);
          const record = records[index]!;
          const overlap = corpus.overlap(record.question);
          const other = rng.chance(astray) ? stranger(record, corpus.texts(record.group), overlap, rng) : undefined;
          const { cls, sep } = tokenizer;
          const question = [cls, ...tokenizer.encode(record.question).ids.subarray(0, questionRoom - 2), sep];
          return {
            id: record.id,
            question,
            record,
            text: other ?? record.text,
            title: record.title,
            answered: other === undefined,
            overlap,
          };
        });
        examples.sort((a, b) => b.text.length - a.text.length);
        const parts: HostTensors[] = [];
        for (let at = 0; at < examples.length; at += partSize) {
          const rate = random(seed, epoch, cursor, at).pick(rates);
          const members = examples.slice(at, at + partSize);
          const stored = await store.get(members.map(({ text, title }) => ({ text, title })));
          parts.push(partOf(members, stored, rate, { width: store.width, tokenizer }));
        }
        yield {
          parts,
          divisor: examples.length,
          tokens: parts.reduce(
            (sum, { memory, question }) => sum + memory!.shape[0]! * (memory!.shape[1]! + question!.shape[1]!),
            0,
          ),
          examples: examples.length,
          ids: examples.map(({ id }) => id),
          next: { epoch, cursor: cursor + batchSize },
        };
      }
    }
  };
}

/** All records in the order of an epoch: drawn at random, with questions of the same text side by side. */
function drawn(records: readonly SpanRecord[], together: number, rng: Random): Uint32Array {
  const order = permutation(records.length, rng);
  if (together === 1) return order;
  const chunks: number[][] = [];
  const open = new Map<string, number[]>();
  for (const index of order) {
    const { text } = records[index]!;
    const begun = open.get(text);
    if (begun !== undefined && begun.length < together) begun.push(index);
    else {
      const chunk = [index];
      open.set(text, chunk);
      chunks.push(chunk);
    }
  }
  return Uint32Array.from(Array.from(permutation(chunks.length, rng)).flatMap((index) => chunks[index]!));
}

/** The text of the subject most like the question that does not have its answer. */
function stranger(
  { text, answer }: SpanRecord,
  texts: readonly string[],
  overlap: (text: string) => number,
  rng: Random,
): string | undefined {
  const said = text.slice(answer!.start, answer!.end).toLowerCase();
  const silent = Array.from({ length: 10 }, () => rng.pick(texts)).filter(
    (other) => other !== text && !other.toLowerCase().includes(said),
  );
  return silent.reduce<string | undefined>((a, b) => (a === undefined || overlap(b) > overlap(a) ? b : a), undefined);
}

function partOf(
  examples: readonly Example[],
  stored: readonly PassageStates[],
  rate: number,
  { width, tokenizer }: { width: number; tokenizer: Tokenizer },
): HostTensors {
  const B = examples.length;
  const rows = examples.map(({ text }, b) => ({ stored: stored[b]!, tokens: tokenizer.encode(text) }));
  const U = Math.max(...examples.map(({ question }) => question.length));
  const M = Math.max(...rows.map(({ stored }) => Math.ceil(stored.length / rate)));
  const T = Math.max(...rows.map(({ stored }) => stored.length - stored.head - 1));
  const question = new Int32Array(B * U).fill(tokenizer.pad);
  const questionMask = new Int32Array(B * U);
  const memory = new Float32Array(B * M * width);
  const memoryMask = new Int32Array(B * M);
  const overlap = new Float32Array(B * M);
  const near = new Int32Array(B * T * 5).fill(tokenizer.pad);
  const match = new Float32Array(B * T * 5);
  const window = new Int32Array(B * T);
  const open = new Int32Array(B * T);
  const spans = new Int32Array(B * 2);
  const holds = new Float32Array(B * M);
  examples.forEach((example, b) => {
    const { stored, tokens } = rows[b]!;
    const { length, head } = stored;
    question.set(example.question, b * U);
    questionMask.fill(1, b * U, b * U + example.question.length);
    const count = Math.ceil(length / rate);
    memory.set(memoryTokens(stored, rate, width), b * M * width);
    for (let m = 0; m < count; m++) {
      const end = Math.min(length, (m + 1) * rate);
      const first = Math.max(0, m * rate - head);
      const last = Math.min(length - 1, end) - head - 1;
      if (last >= first)
        overlap[b * M + m] = example.overlap(example.text.slice(tokens.starts[first]!, tokens.ends[last]!));
    }
    memoryMask.fill(1, b * M, b * M + count);
    const asked = new Set(example.question.slice(1, -1));
    const body = length - head - 1;
    open.fill(1, b * T, b * T + body);
    const { answer } = example.record;
    let first = 0;
    let final = 0;
    for (let t = 0; t < body; t++) {
      window[b * T + t] = Math.floor((t + head) / rate);
      for (let k = 0; k < 5; k++) {
        const at = t + k - 2;
        if (at < 0 || at >= body) continue;
        near[(b * T + t) * 5 + k] = tokens.ids[at]!;
        if (asked.has(tokens.ids[at]!)) match[(b * T + t) * 5 + k] = 1;
      }
      if (!example.answered || tokens.ends[t]! <= answer!.start || tokens.starts[t]! >= answer!.end) continue;
      if (first === 0) first = t + 1;
      final = t + 1;
      holds[b * M + window[b * T + t]!] = 1;
    }
    spans.set([first, final], 2 * b);
  });
  return {
    question: { data: question, shape: [B, U] },
    questionMask: { data: questionMask, shape: [B, U] },
    memory: { data: memory, shape: [B, M, width] },
    memoryMask: { data: memoryMask, shape: [B, M] },
    overlap: { data: overlap, shape: [B, M] },
    near: { data: near, shape: [B, T, 5] },
    match: { data: match, shape: [B, T, 5] },
    window: { data: window, shape: [B, T] },
    open: { data: open, shape: [B, T] },
    spans: { data: spans, shape: [B, 2] },
    holds: { data: holds, shape: [B, M] },
  };
}
