import { ClaraError } from "@clara/core";
import type { HostTensors } from "@clara/engine";
import { questionTokens } from "@clara/generator";
import type { Tokenizer } from "@clara/model";
import { random } from "../random.ts";
import { readingCorpus, wordSet } from "../reading/corpus.ts";
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
  /** Questions of one step: a multiple of `groupSize`. Their passages are the candidates of all of them. */
  readonly batchSize: number;
  /** Different passages of one subject that are in one batch together: what makes it hard. @default 8 */
  readonly groupSize?: number;
  /** Questions of a step whose selected passages are read, too. @default all */
  readonly answers?: number;
  /** Tokens averaged into one memory token. @default 16 */
  readonly rate?: number;
}

/**
 * Batches for a query reasoner over passages that are compressed already: `question`, `questionMask` [B, U]; the passages of all,
 * `memories` [P, M, d] and `tokens` [P, M]; which of them answers, `own` [B, P], and with which windows, `holds` [B, M]; and
 * for the first A questions the words that they share with each window, `overlap` [A, P, M].
 *
 * @throws ClaraError "option" when more questions should be read than asked, and from its batches when the records do not fill one.
 */
export function queryBatches(options: QueryBatchesOptions): Batches {
  const { records, store, tokenizer, seed, batchSize } = options;
  const { groupSize = 8, answers = batchSize, rate = 16 } = options;
  if (!(Number.isInteger(answers) && answers >= 1 && answers <= batchSize)) {
    throw new ClaraError("option", `queryBatches: answers must be from 1 to batchSize, ${batchSize}, got ${answers}`);
  }
  const corpus = readingCorpus(records);
  return async function* (from) {
    for (let { epoch, cursor } = from; ; epoch++, cursor = 0) {
      const groups = groupRecords(records, groupSize, random(seed, epoch));
      const count = groupCount("queryBatches", groups.length, { batchSize, groupSize });
      for (; cursor + count <= groups.length; cursor += count) {
        // Column by column, so that the questions that are read are of all groups.
        const chosen = groups.slice(cursor, cursor + count);
        const members = Array.from({ length: batchSize }, (_, i) => chosen[i % count]![Math.floor(i / count)]!);
        // Two groups of a batch may be of one subject, with the same passages.
        const passages = [...new Map(members.map((member) => [member.text, member])).values()];
        const states = await store.get(passages);
        const { width } = store;
        const windows = passages.map(({ text }, p) => windowsOf(text, states[p]!, { rate, width, tokenizer }));
        const asked = questionsOf(members, tokenizer);
        yield {
          parts: [
            {
              ...asked.inputs,
              ...candidatesOf(members, passages, windows, width),
              overlap: overlapOf(members.slice(0, answers), windows, corpus.overlap),
            },
          ],
          divisor: members.length,
          tokens: asked.tokens,
          examples: members.length,
          ids: members.map(({ id }) => id),
          next: { epoch, cursor: cursor + count },
        };
      }
    }
  };
}

function questionsOf(members: readonly SpanRecord[], tokenizer: Tokenizer) {
  const { cls, sep, pad } = tokenizer;
  const rows = members.map(({ question }) => [cls, ...tokenizer.encode(question).ids.subarray(0, questionTokens), sep]);
  const shape = [rows.length, Math.max(...rows.map(({ length }) => length))] as const;
  const ids = new Int32Array(shape[0] * shape[1]).fill(pad);
  const mask = new Int32Array(ids.length);
  rows.forEach((row, b) => {
    ids.set(row, b * shape[1]);
    mask.fill(1, b * shape[1], b * shape[1] + row.length);
  });
  const inputs: HostTensors = { question: { data: ids, shape }, questionMask: { data: mask, shape } };
  return { inputs, tokens: rows.reduce((sum, { length }) => sum + length, 0) };
}

function candidatesOf(
  members: readonly SpanRecord[],
  passages: readonly SpanRecord[],
  windows: readonly (readonly Window[])[],
  width: number,
): HostTensors {
  const [B, P, M] = [members.length, passages.length, mostOf(windows)];
  const memories = new Float32Array(P * M * width);
  const tokens = new Float32Array(P * M);
  windows.forEach((row, p) => {
    row.forEach(({ vector, count }, m) => {
      memories.set(vector, (p * M + m) * width);
      tokens[p * M + m] = count;
    });
  });
  const own = new Float32Array(B * P);
  const holds = new Float32Array(B * M);
  const place = new Map(passages.map(({ text }, p) => [text, p]));
  members.forEach(({ text, answer }, b) => {
    const p = place.get(text)!;
    own[b * P + p] = 1;
    const held = windows[p]!.map(({ start, end }) => start < answer!.end && end > answer!.start);
    // An answer beyond the end of a passage that was cut: its last window is the nearest.
    if (!held.includes(true)) held[held.length - 1] = true;
    holds.set(held.map(Number), b * M);
  });
  return {
    memories: { data: memories, shape: [P, M, width] },
    tokens: { data: tokens, shape: [P, M] },
    own: { data: own, shape: [B, P] },
    holds: { data: holds, shape: [B, M] },
  };
}

function overlapOf(
  asked: readonly SpanRecord[],
  windows: readonly (readonly Window[])[],
  share: (question: string) => (words: ReadonlySet<string>) => number,
): HostTensors[string] {
  const [P, M] = [windows.length, mostOf(windows)];
  const data = new Float32Array(asked.length * P * M);
  asked.forEach(({ question }, a) => {
    const of = share(question);
    windows.forEach((row, p) => {
      row.forEach(({ words }, m) => {
        data[(a * P + p) * M + m] = of(words);
      });
    });
  });
  return { data, shape: [asked.length, P, M] };
}

function mostOf(windows: readonly (readonly Window[])[]): number {
  return Math.max(...windows.map(({ length }) => length));
}

/** A memory token, and the part of the text that it covers: none where that is the title. */
interface Window {
  readonly vector: Float32Array;
  readonly count: number;
  readonly start: number;
  readonly end: number;
  readonly words: ReadonlySet<string>;
}

function windowsOf(
  text: string,
  passage: PassageStates,
  { rate, width, tokenizer }: { readonly rate: number; readonly width: number; readonly tokenizer: Tokenizer },
): Window[] {
  const { length, head } = passage;
  const { starts, ends } = tokenizer.encode(text);
  const vectors = memoryTokens(passage, rate, width);
  return Array.from({ length: Math.ceil(length / rate) }, (_, m) => {
    const to = Math.min(length, (m + 1) * rate);
    const first = Math.max(0, m * rate - head);
    const last = Math.min(length - 1, to) - head - 1;
    const [start, end] = last >= first ? [starts[first]!, ends[last]!] : [0, 0];
    const vector = vectors.subarray(m * width, (m + 1) * width);
    return { vector, count: to - m * rate, start, end, words: wordSet(text.slice(start, end)) };
  });
}
