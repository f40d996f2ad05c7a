import { questionTokens } from "@clara/generator";
import type { Tokenizer } from "@clara/model";
import { random } from "../random.ts";
import { readingCorpus } from "../reading/corpus.ts";
import type { SpanRecord } from "../reading/span-record.ts";
import type { Batches } from "../train-steps.ts";
import { memoryTokens, type PassageStates, type PassageStore } from "./passage-states.ts";
import { groupCount, groupRecords } from "./search-batches.ts";

export interface QueryBatchesOptions {
  /** Each with an answer. */
  readonly records: readonly SpanRecord[];
  readonly store: PassageStore;
  readonly tokenizer: Tokenizer;
  readonly seed: number;
  /** Questions of one step: a multiple of `groupSize`. */
  readonly batchSize: number;
  /** Candidates of one subject. @default 8 */
  readonly groupSize?: number;
  /** Candidates from other subjects, beside those. @default 4 */
  readonly strangers?: number;
  /** Tokens averaged into one memory token. @default 16 */
  readonly rate?: number;
}

/**
 * Batches for a query reasoner over passages that are compressed already: `question`, `questionMask` [B, U], and for the
 * candidates, the first of which answers, `memories` [B, N, M, d], `tokens`, `overlap` and `holds` [B, N, M].
 */
export function queryBatches(options: QueryBatchesOptions): Batches {
  const { records, store, tokenizer, seed, batchSize } = options;
  const { groupSize = 8, strangers = 4, rate = 16 } = options;
  const corpus = readingCorpus(records);
  return async function* (from) {
    for (let { epoch, cursor } = from; ; epoch++, cursor = 0) {
      const groups = groupRecords(records, groupSize, random(seed, epoch));
      const count = groupCount("queryBatches", groups.length, { batchSize, groupSize });
      for (; cursor + count <= groups.length; cursor += count) {
        const members = groups.slice(cursor, cursor + count);
        const rng = random(seed, epoch, cursor);
        const rows = members.flatMap((group) =>
          group.map((record, i) => {
            // Two groups of a batch may be of one subject, with the same passages.
            const others = members.flat().filter((other) => other.group !== record.group);
            const far = others.length === 0 ? [] : Array.from({ length: strangers }, () => rng.pick(others));
            return { record, candidates: [record, ...group.filter((_, other) => other !== i), ...far] };
          }),
        );
        const passages = members.flat();
        const stored = await store.get(passages);
        const states = new Map(passages.map(({ text }, i) => [text, stored[i]!]));
        yield {
          parts: [partOf(rows, states, { rate, width: store.width, tokenizer, overlapOf: corpus.overlap })],
          divisor: rows.length,
          tokens: rows.length * rows[0]!.candidates.length,
          examples: rows.length,
          ids: rows.map(({ record }) => record.id),
          next: { epoch, cursor: cursor + count },
        };
      }
    }
  };
}

interface Row {
  readonly record: SpanRecord;
  readonly candidates: readonly SpanRecord[];
}

interface PartOptions {
  readonly rate: number;
  readonly width: number;
  readonly tokenizer: Tokenizer;
  readonly overlapOf: (question: string) => (text: string) => number;
}

function partOf(rows: readonly Row[], states: ReadonlyMap<string, PassageStates>, options: PartOptions) {
  const { rate, width, tokenizer, overlapOf } = options;
  const { cls, sep, pad } = tokenizer;
  const questions = rows.map(({ record: { question } }) => [
    cls,
    ...tokenizer.encode(question).ids.subarray(0, questionTokens),
    sep,
  ]);
  const B = rows.length;
  const N = rows[0]!.candidates.length;
  const U = Math.max(...questions.map(({ length }) => length));
  const M = Math.max(...[...states.values()].map(({ length }) => Math.ceil(length / rate)));
  const question = new Int32Array(B * U).fill(pad);
  const questionMask = new Int32Array(B * U);
  const memories = new Float32Array(B * N * M * width);
  const [tokens, overlap, holds] = [0, 1, 2].map(() => new Float32Array(B * N * M)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const windows = new Map(
    rows.map(({ record: { text } }) => [text, windowsOf(text, states.get(text)!, { rate, width, tokenizer })]),
  );
  rows.forEach(({ record, candidates }, b) => {
    question.set(questions[b]!, b * U);
    questionMask.fill(1, b * U, b * U + questions[b]!.length);
    const share = overlapOf(record.question);
    candidates.forEach(({ text }, n) => {
      const at = (b * N + n) * M;
      windows.get(text)!.forEach(({ vector, count, start, end }, m) => {
        memories.set(vector, (at + m) * width);
        tokens[at + m] = count;
        if (end > start) overlap[at + m] = share(text.slice(start, end));
        if (n === 0 && start < record.answer!.end && end > record.answer!.start) holds[at + m] = 1;
      });
    });
    // An answer beyond the end of a passage that was cut: its last window is the nearest.
    const own = holds.subarray(b * N * M, (b * N + 1) * M);
    if (!own.includes(1)) own[windows.get(record.text)!.length - 1] = 1;
  });
  const shape = [B, N, M];
  return {
    question: { data: question, shape: [B, U] },
    questionMask: { data: questionMask, shape: [B, U] },
    memories: { data: memories, shape: [B, N, M, width] },
    tokens: { data: tokens, shape },
    overlap: { data: overlap, shape },
    holds: { data: holds, shape },
  };
}

/** Memory tokens of a passage, with the part of its text that each covers. */
function windowsOf(
  text: string,
  passage: PassageStates,
  { rate, width, tokenizer }: Pick<PartOptions, "rate" | "width" | "tokenizer">,
) {
  const { length, head } = passage;
  const { starts, ends } = tokenizer.encode(text);
  const vectors = memoryTokens(passage, rate, width);
  return Array.from({ length: Math.ceil(length / rate) }, (_, m) => {
    const to = Math.min(length, (m + 1) * rate);
    const count = to - m * rate;
    const vector = vectors.subarray(m * width, (m + 1) * width);
    const first = Math.max(0, m * rate - head);
    const last = Math.min(length - 1, to) - head - 1;
    return last >= first
      ? { vector, count, start: starts[first]!, end: ends[last]! }
      : { vector, count, start: 0, end: 0 };
  });
}
