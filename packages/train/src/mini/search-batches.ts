import { ClaraError } from "@clara/core";
import type { HostTensors } from "@clara/engine";
import { questionTokens } from "@clara/generator";
import type { Tokenizer } from "@clara/model";
import { permutation, type Random, random } from "../random.ts";
import type { SpanRecord } from "../reading/span-record.ts";
import type { Batches } from "../train-steps.ts";

export interface SearchBatchesOptions {
  /** Each with an answer. */
  readonly records: readonly SpanRecord[];
  readonly tokenizer: Tokenizer;
  readonly seed: number;
  /** Questions of one step, each with its passage: a multiple of `groupSize`. */
  readonly batchSize: number;
  /** Different passages of one subject that are in one batch together: what makes it hard. @default 4 */
  readonly groupSize?: number;
  /** Tokens averaged into one memory token: one of these for each batch. @default [8, 16, 32] */
  readonly rates?: readonly number[];
  /** Tokens of a passage at most. @default 256 */
  readonly maxTokens?: number;
  /** Share of the passages that are compressed with their title in front. @default 0.5 */
  readonly titled?: number;
}

/**
 * Batches for `memorySearchLoss`: passages `ids`, `mask` [N, T] with their pooling `pool` [N, M, T], `tokens` and
 * `holds` [N, M]; questions `questionIds`, `questionMask` [N, U].
 *
 * @throws ClaraError "option" from its batches when the records do not fill one.
 */
export function searchBatches(options: SearchBatchesOptions): Batches {
  const {
    records,
    tokenizer,
    seed,
    batchSize,
    groupSize = 4,
    rates = [8, 16, 32],
    maxTokens = 256,
    titled = 0.5,
  } = options;
  return function* (from) {
    for (let { epoch, cursor } = from; ; epoch++, cursor = 0) {
      const chunks = groupRecords(records, groupSize, random(seed, epoch));
      const count = groupCount("searchBatches", chunks.length, { batchSize, groupSize });
      for (; cursor + count <= chunks.length; cursor += count) {
        const members = chunks.slice(cursor, cursor + count).flat();
        const rng = random(seed, epoch, cursor);
        const { inputs, tokens } = batchOf(members, tokenizer, { rate: rng.pick(rates), maxTokens, titled }, rng);
        yield {
          parts: [inputs],
          divisor: members.length,
          tokens,
          examples: members.length,
          ids: members.map(({ id }) => id),
          next: { epoch, cursor: cursor + count },
        };
      }
    }
  };
}

/** Records in groups of one subject with a passage each of their own, in random order; what is left over is left out. */
export function groupRecords(records: readonly SpanRecord[], size: number, rng: Random): SpanRecord[][] {
  const waiting = new Map<string, SpanRecord[]>();
  const chunks: SpanRecord[][] = [];
  for (const index of permutation(records.length, rng)) {
    const record = records[index]!;
    const group = waiting.get(record.group) ?? [];
    if (group.some(({ text }) => text === record.text)) continue;
    group.push(record);
    if (group.length < size) {
      waiting.set(record.group, group);
    } else {
      chunks.push(group);
      waiting.delete(record.group);
    }
  }
  return Array.from(permutation(chunks.length, rng), (index) => chunks[index]!);
}

/** Groups of a batch. @throws ClaraError "option" when that is no whole number, or there are not as many: no batch would ever come. */
export function groupCount(
  where: string,
  groups: number,
  { batchSize, groupSize }: { batchSize: number; groupSize: number },
): number {
  const count = batchSize / groupSize;
  if (!(Number.isInteger(count) && count >= 1 && count <= groups)) {
    const most = `${groups * groupSize}, as the records give ${groups} groups of ${groupSize} texts of one subject`;
    throw new ClaraError(
      "option",
      `${where}: batchSize must be a multiple of groupSize and at most ${most}, got ${batchSize}`,
    );
  }
  return count;
}

function batchOf(
  members: readonly SpanRecord[],
  tokenizer: Tokenizer,
  { rate, maxTokens, titled }: { rate: number; maxTokens: number; titled: number },
  rng: Random,
): { inputs: HostTensors; tokens: number } {
  const N = members.length;
  const { cls, sep } = tokenizer;
  const questions = members.map(({ question }) => [
    cls,
    ...tokenizer.encode(question).ids.subarray(0, questionTokens),
    sep,
  ]);
  const passages = members.map((record) => layOutPassage(record, tokenizer, maxTokens, rng.chance(titled)));
  const T = Math.max(...passages.map(({ ids }) => ids.length));
  const M = Math.ceil(T / rate);
  const pool = new Float32Array(N * M * T);
  const tokens = new Float32Array(N * M);
  const holds = new Float32Array(N * M);
  passages.forEach(({ ids, holds: held }, n) => {
    ids.forEach((_, t) => {
      const m = n * M + Math.floor(t / rate);
      tokens[m]! += 1;
      if (held[t]) holds[m] = 1;
    });
    ids.forEach((_, t) => {
      const m = n * M + Math.floor(t / rate);
      pool[m * T + t] = 1 / tokens[m]!;
    });
  });
  const inputs: HostTensors = {
    ...padded(
      "ids",
      "mask",
      passages.map(({ ids }) => ids),
      tokenizer.pad,
    ),
    ...padded("questionIds", "questionMask", questions, tokenizer.pad),
    pool: { data: pool, shape: [N, M, T] },
    tokens: { data: tokens, shape: [N, M] },
    holds: { data: holds, shape: [N, M] },
  };
  const used = [...passages.map(({ ids }) => ids), ...questions].reduce((sum, { length }) => sum + length, 0);
  return { inputs, tokens: used };
}

/** [CLS] title text [SEP] as the compressor reads it, and which of the tokens are a part of the answer. */
function layOutPassage(
  { text, title = "", answer }: SpanRecord,
  tokenizer: Tokenizer,
  maxTokens: number,
  titled: boolean,
): { ids: readonly number[]; holds: readonly boolean[] } {
  const { ids, starts, ends } = tokenizer.encode(text);
  const head = [tokenizer.cls, ...(titled && title !== "" ? tokenizer.encode(`${title}\n`).ids : [])];
  const room = maxTokens - head.length - 1;
  // A passage that is too long begins where its answer is still in it.
  const last = answer ? ends.findIndex((end) => end >= answer.end) : 0;
  const from = ids.length <= room || last < room ? 0 : Math.min(last - (room >> 1), ids.length - room);
  const kept = ids.subarray(from, from + room);
  const holds = Array.from(
    kept,
    (_, t) => answer !== null && ends[from + t]! > answer.start && starts[from + t]! < answer.end,
  );
  return { ids: [...head, ...kept, tokenizer.sep], holds: [...head.map(() => false), ...holds, false] };
}

function padded(idsName: string, maskName: string, rows: readonly (readonly number[])[], pad: number): HostTensors {
  const T = Math.max(...rows.map(({ length }) => length));
  const ids = new Int32Array(rows.length * T).fill(pad);
  const mask = new Int32Array(rows.length * T);
  rows.forEach((row, n) => {
    ids.set(row, n * T);
    mask.fill(1, n * T, n * T + row.length);
  });
  const shape = [rows.length, T];
  return { [idsName]: { data: ids, shape }, [maskName]: { data: mask, shape } };
}
