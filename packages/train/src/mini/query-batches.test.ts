import { expectClose } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { readingCorpus } from "../reading/corpus.ts";
import type { SpanRecord } from "../reading/span-record.ts";
import { townRecords, townText, townTokenizer, wordsOf } from "../reading/towns.testing.ts";
import { take } from "../take-batches.testing.ts";
import type { Batches, TrainingBatch } from "../train-steps.ts";
import { literalStates, literalStore } from "./literal-store.testing.ts";
import { memoryTokens, type PassageStore } from "./passage-states.ts";
import { type QueryBatchesOptions, queryBatches } from "./query-batches.ts";

const batches = (options: Partial<QueryBatchesOptions> = {}): Batches =>
  queryBatches({
    ...{ records: townRecords, store: literalStore, tokenizer: townTokenizer, seed: 5, batchSize: 8 },
    ...{ groupSize: 4, rate: 8 },
    ...options,
  });

/** Which text a memory is of. */
const textBy = new Map(townRecords.map(({ text }) => [memoryTokens(literalStates(text), 8, 4).join(), text]));

interface Step {
  /** The candidates of all questions. */
  readonly passages: readonly Record<"memories" | "tokens", number[]>[];
  readonly texts: readonly (string | undefined)[];
  readonly questions: readonly {
    readonly record: SpanRecord;
    readonly question: string;
    readonly own: number[];
    readonly holds: number[];
    /** [P][M]; of the questions that are read, too. */
    readonly overlap: number[][] | undefined;
  }[];
}

function stepOf({ parts: [part], ids }: TrainingBatch): Step {
  const [P, M, width] = part!.memories!.shape as [number, number, number];
  const [B, U] = part!.question!.shape as [number, number];
  const cut = (name: string, at: number, size: number): number[] =>
    Array.from(part![name]!.data as Float32Array).slice(at * size, (at + 1) * size);
  const passages = Array.from({ length: P }, (_, p) => ({
    memories: cut("memories", p, M * width),
    tokens: cut("tokens", p, M),
  }));
  return {
    passages,
    texts: passages.map(({ memories }) => textBy.get(memories.join())),
    questions: Array.from({ length: B }, (_, b) => ({
      record: townRecords.find(({ id }) => id === ids[b])!,
      question: wordsOf(cut("question", b, U).filter((_, u) => part!.questionMask!.data[b * U + u] === 1)),
      own: cut("own", b, P),
      holds: cut("holds", b, M),
      overlap:
        b < part!.overlap!.shape[0]! ? Array.from({ length: P }, (_, p) => cut("overlap", b * P + p, M)) : undefined,
    })),
  };
}

describe("queryBatches", () => {
  it("gives all questions the passages of all, each once, and says which is their own", async () => {
    expect(textBy.size).toBe(16);
    for (const { questions, texts, passages } of (await take(batches({ batchSize: 12 }), 6)).map(stepOf)) {
      expect(questions).toHaveLength(12);
      expect(new Set(texts)).toEqual(new Set(questions.map(({ record }) => record.text)));
      expect(new Set(texts).size).toBe(texts.length);
      for (const { record, question, own } of questions) {
        expect(question).toBe(`[CLS] ${townText(record.question)} [SEP]`);
        expect(own).toEqual(texts.map((text) => (text === record.text ? 1 : 0)));
      }
      for (const { tokens } of passages) expect(tokens).toEqual([8, 8, 8, 8, 8]);
    }
  });

  it("has different passages of one subject in each step, and all subjects of it among the first", async () => {
    for (const { questions } of (await take(batches(), 6)).map(stepOf)) {
      const subjects = [0, 1].map((g) => questions.filter((_, i) => i % 2 === g).map(({ record }) => record));
      for (const records of subjects) {
        expect(new Set(records.map(({ group }) => group)).size).toBe(1);
        expect(new Set(records.map(({ text }) => text)).size).toBe(4);
      }
    }
  });

  it("marks the windows of its own passage that hold the answer", async () => {
    for (const { record, holds } of (await take(batches(), 3)).flatMap((batch) => stepOf(batch).questions)) {
      const { starts, ends } = townTokenizer.encode(record.text);
      const held = new Set<number>();
      starts.forEach((start, t) => {
        if (start < record.answer!.end && ends[t]! > record.answer!.start) held.add(Math.floor((t + 1) / 8));
      });
      expect(holds).toEqual([0, 1, 2, 3, 4].map((m) => (held.has(m) ? 1 : 0)));
    }
  });

  it("says how much of the words of the questions that are read each window's text has", async () => {
    const corpus = readingCorpus(townRecords);
    const { questions, texts } = stepOf((await take(batches({ answers: 3 }), 1))[0]!);
    expect(questions.map(({ overlap }) => overlap !== undefined)).toEqual(questions.map((_, b) => b < 3));
    for (const { record, overlap } of questions.slice(0, 3)) {
      texts.forEach((text, p) => {
        const { starts, ends } = townTokenizer.encode(text!);
        const slice = (m: number): string => text!.slice(starts[Math.max(0, 8 * m - 1)], ends[Math.min(37, 8 * m + 6)]);
        expectClose(overlap![p]!, [0, 1, 2, 3, 4].map(slice).map(corpus.overlap(record.question)));
      });
    }
    const all = stepOf((await take(batches(), 1))[0]!);
    expect(all.questions.every(({ overlap }) => overlap !== undefined)).toBe(true);
  });

  it("takes the last window for an answer beyond the end of what has been compressed", async () => {
    const cut: PassageStore = {
      ...literalStore,
      get: async (passages) =>
        (await literalStore.get(passages)).map((states) => ({
          ...states,
          length: 9,
          values: states.values.slice(0, 36),
        })),
    };
    const steps = (await take(batches({ store: cut }), 3)).map(stepOf);
    const late = steps.flatMap(({ questions }) => questions).filter(({ record }) => record.answer!.start > 45);
    expect(late.length).toBeGreaterThan(3);
    for (const { holds } of late) expect(holds).toEqual([0, 1]);
    for (const { tokens } of steps.flatMap(({ passages }) => passages)) expect(tokens).toEqual([8, 1]);
  });

  it("pads shorter memories with nothing", async () => {
    const records = townRecords.map((record, i) => {
      return i < 3 ? { ...record, text: "Anna Adams came.", answer: { start: 0, end: 10 } } : record;
    });
    const { passages, questions } = stepOf((await take(batches({ records, batchSize: 16 }), 1))[0]!);
    const short = passages.flatMap(({ tokens }, p) => (tokens[1] === 0 ? [p] : []));
    expect(short).toHaveLength(1);
    for (const p of short) {
      expect(passages[p]!.tokens).toEqual([6, 0, 0, 0, 0]);
      expect(passages[p]!.memories.slice(4)).toEqual(Array(16).fill(0));
      for (const { overlap } of questions) expect(overlap![p]!.slice(1)).toEqual([0, 0, 0, 0]);
    }
  });

  it("goes on from any position to the same batches, which the seed and the epoch decide", async () => {
    const all = await take(batches(), 8);
    for (const at of [1, 4, 5, 6]) expect(await take(batches(), 8 - at, all[at - 1]!.next)).toEqual(all.slice(at));
    expect((await take(batches({ seed: 6 }), 1))[0]!.ids).not.toEqual(all[0]!.ids);
    const second = all.findIndex(({ next }) => next.epoch === 1);
    expect(all[second]!.ids).not.toEqual(all[0]!.ids);
    expect(all[second]!.next).toEqual({ epoch: 1, cursor: 2 });
    for (const { divisor, examples, tokens, parts } of all) {
      expect([divisor, examples]).toEqual([8, 8]);
      expect(tokens).toBe((parts[0]!.questionMask!.data as Int32Array).reduce((sum, one) => sum + one));
    }
  });

  it("refuses a batch that the groups do not fill, instead of looking for it without end", async () => {
    await expect(take(batches({ batchSize: 64 }), 1)).rejects.toThrow(/^queryBatches: batchSize must be a multiple of/);
    await expect(take(batches({ batchSize: 6 }), 1)).rejects.toMatchObject({ code: "option" });
    expect(() => batches({ answers: 9 })).toThrow("queryBatches: answers must be from 1 to batchSize, 8, got 9");
  });
});
