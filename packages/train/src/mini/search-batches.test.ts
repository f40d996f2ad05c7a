import { describe, expect, it } from "vitest";
import { random } from "../random.ts";
import type { SpanRecord } from "../reading/span-record.ts";
import { townRecords, townText, townTokenizer, wordsOf } from "../reading/towns.testing.ts";
import { takeNow } from "../take-batches.testing.ts";
import type { Batches, TrainingBatch } from "../train-steps.ts";
import { groupRecords, type SearchBatchesOptions, searchBatches } from "./search-batches.ts";

const batches = (options: Partial<SearchBatchesOptions> = {}): Batches =>
  searchBatches({ records: townRecords, tokenizer: townTokenizer, seed: 3, batchSize: 16, titled: 0, ...options });

/** A batch's passages, one by one, with what their memory tokens stand for. */
function passagesOf({ parts: [part] }: TrainingBatch) {
  const { ids, mask, pool, tokens, holds } = part!;
  const [N, M, T] = pool!.shape as [number, number, number];
  return Array.from({ length: N }, (_, n) => ({
    ids: Array.from(ids!.data).slice(n * T, (n + 1) * T),
    mask: Array.from(mask!.data).slice(n * T, (n + 1) * T),
    windows: Array.from({ length: M }, (_, m) => ({
      pool: Array.from(pool!.data).slice((n * M + m) * T, (n * M + m + 1) * T),
      tokens: tokens!.data[n * M + m]!,
      holds: holds!.data[n * M + m]!,
    })),
  }));
}

const recordOf = (id: string): SpanRecord => townRecords.find((record) => record.id === id)!;

describe("searchBatches", () => {
  it("lays passages and questions out as they are compressed", () => {
    const [batch] = takeNow(batches(), 1);
    const [part] = batch!.parts;
    const U = part!.questionIds!.shape[1]!;
    passagesOf(batch!).forEach(({ ids, mask }, n) => {
      const { text, question } = recordOf(batch!.ids[n]!);
      expect(wordsOf(ids.filter((_, t) => mask[t] === 1))).toBe(`[CLS] ${townText(text)} [SEP]`);
      expect(ids.every((id, t) => mask[t] === 1 || id === townTokenizer.pad)).toBe(true);
      const asked = Array.from(part!.questionIds!.data).slice(n * U, (n + 1) * U);
      const kept = Array.from(part!.questionMask!.data).slice(n * U, (n + 1) * U);
      expect(wordsOf(asked.filter((_, t) => kept[t] === 1))).toBe(`[CLS] ${townText(question)} [SEP]`);
    });
  });

  it("puts the title in front of as many passages as asked for", () => {
    const [batch] = takeNow(batches({ titled: 1 }), 1);
    const { title, text } = recordOf(batch!.ids[0]!);
    const { ids, windows } = passagesOf(batch!)[0]!;
    expect(wordsOf(ids)).toContain(`[CLS] ${townText(title!)} ${townText(text)} [SEP]`);
    expect(windows.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(41);
    const some = takeNow(batches({ titled: 0.3 }), 12).flatMap(passagesOf);
    const titled = some.filter(({ ids }) => wordsOf(ids.slice(1, 3)).endsWith("the")).length / some.length;
    expect(Math.abs(titled - 0.3)).toBeLessThan(0.12);
  });

  it("averages runs of tokens, and marks those with a part of the answer", () => {
    const [batch] = takeNow(batches({ rates: [12] }), 1);
    passagesOf(batch!).forEach(({ ids, windows }, n) => {
      const { text, answer } = recordOf(batch!.ids[n]!);
      const said = townText(text.slice(answer!.start, answer!.end)).split(" ");
      windows.forEach(({ pool, tokens, holds }, m) => {
        const own = pool.map((_, t) => Math.floor(t / 12) === m && ids[t] !== townTokenizer.pad);
        const count = own.filter(Boolean).length;
        expect(tokens).toBe(count);
        expect(pool).toEqual(own.map((inside) => (inside ? Math.fround(1 / count) : 0)));
        const words = ids.filter((_, t) => own[t]).map((id) => wordsOf([id]));
        expect(holds, `${words}`).toBe(words.some((word) => said.includes(word)) ? 1 : 0);
      });
      expect(windows.some(({ holds }) => holds === 1)).toBe(true);
    });
  });

  it("draws a rate for each batch", () => {
    const rates = takeNow(batches({ rates: [8, 16] }), 24).map(({ parts }) => parts[0]!.pool!.shape[1]);
    expect(new Set(rates)).toEqual(new Set([5, 3]));
  });

  it("cuts a long passage to the tokens around its answer", () => {
    const [batch] = takeNow(batches({ maxTokens: 20, titled: 1 }), 1);
    passagesOf(batch!).forEach(({ ids, windows }, n) => {
      const { text, answer, title } = recordOf(batch!.ids[n]!);
      expect(ids).toHaveLength(20);
      const words = wordsOf(ids);
      expect(words.startsWith(`[CLS] ${townText(title!)} `)).toBe(true);
      expect(words.endsWith(" [SEP]")).toBe(true);
      expect(words).toContain(townText(text.slice(answer!.start, answer!.end)));
      expect(windows.some(({ holds }) => holds === 1)).toBe(true);
    });
  });

  it("goes on from any position to the same batches, which the seed and the epoch decide", () => {
    const all = takeNow(batches(), 6);
    for (const at of [1, 2, 3, 4]) expect(takeNow(batches(), 6 - at, all[at - 1]!.next)).toEqual(all.slice(at));
    expect(takeNow(batches({ seed: 4 }), 1)[0]!.ids).not.toEqual(all[0]!.ids);
    const epochs = all.map(({ next }) => next.epoch);
    expect(epochs.at(-1)).toBeGreaterThan(0);
    const second = epochs.indexOf(1);
    expect(all[second]!.ids).not.toEqual(all[0]!.ids);
    expect(all[0]).toMatchObject({ divisor: 16, examples: 16 });
    const { mask, questionMask } = all[0]!.parts[0]!;
    const used = [...mask!.data, ...questionMask!.data].reduce((sum, kept) => sum + kept, 0);
    expect(all[0]!.tokens).toBe(used);
  });

  it("refuses a batch that the groups do not fill, instead of looking for it without end", () => {
    for (const batchSize of [64, 6, 0]) {
      expect(() => takeNow(batches({ batchSize }), 1)).toThrow(
        /searchBatches: batchSize must be a multiple of groupSize and at most \d+, as the records give \d+ groups of 4/,
      );
    }
    expect(() => takeNow(batches({ groupSize: 5, batchSize: 5 }), 1)).toThrow(
      "at most 0, as the records give 0 groups",
    );
  });
});

describe("groupRecords", () => {
  it("puts records of one subject together, each with a text of its own, and uses none twice", () => {
    const groups = groupRecords(townRecords, 3, random(1));
    expect(groups.length).toBeGreaterThan(8);
    for (const group of groups) {
      expect(group).toHaveLength(3);
      expect(new Set(group.map(({ group }) => group)).size).toBe(1);
      expect(new Set(group.map(({ text }) => text)).size).toBe(3);
    }
    const ids = groups.flat().map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("mixes subjects, as the numbers say", () => {
    const subjects = (seed: number): string[] =>
      groupRecords(townRecords, 4, random(seed)).map(([first]) => first!.group);
    expect(subjects(1)).toEqual(subjects(1));
    expect(subjects(1)).not.toEqual(subjects(2));
    expect(groupRecords([], 4, random(1))).toEqual([]);
  });
});
