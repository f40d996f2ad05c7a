import { describe, expect, it } from "vitest";
import { takeNow } from "../take-batches.testing.ts";
import type { Batches, TrainingBatch } from "../train-steps.ts";
import type { ReadingMix } from "./draw-example.ts";
import { layOutExample, type ReadingBatchesOptions, readingBatches } from "./reading-batches.ts";
import { townRecords, townTokenizer, wordsOf } from "./towns.testing.ts";

const mixed: ReadingMix = { whole: 0.4, windows: 0.2, other: 0.1, removed: 0.1, changed: 0.2 };
const whole: ReadingMix = { whole: 1, windows: 0, other: 0, removed: 0, changed: 0 };
const batches = (options: Partial<ReadingBatchesOptions> = {}): Batches =>
  readingBatches({ records: townRecords, tokenizer: townTokenizer, seed: 3, batchSize: 10, mix: mixed, ...options });

/** The rows of a batch's parts, one by one. */
function rowsOf({ parts }: TrainingBatch) {
  return parts.flatMap(({ ids, types, mask, open, spans }) => {
    const [B, T] = ids!.shape as [number, number];
    return Array.from({ length: B }, (_, b) => {
      const row = (data: ArrayLike<number>): number[] => Array.from(data).slice(b * T, (b + 1) * T);
      return {
        ids: row(ids!.data),
        types: row(types!.data),
        mask: row(mask!.data),
        open: row(open!.data),
        span: Array.from(spans!.data).slice(2 * b, 2 * b + 2) as [number, number],
      };
    });
  });
}

describe("readingBatches", () => {
  it("gives the same for the same seed, and others for another seed and in the next epoch", () => {
    expect(takeNow(batches(), 6)).toEqual(takeNow(batches(), 6));
    const ids = (of: TrainingBatch[]): string[] => of.flatMap((batch) => batch.ids);
    expect(ids(takeNow(batches({ seed: 4 }), 4))).not.toEqual(ids(takeNow(batches(), 4)));
    const two = takeNow(batches(), 8);
    expect(ids(two.slice(4))).not.toEqual(ids(two.slice(0, 4)));
  });

  it("goes on from any position to the same batches, also across an epoch's end", () => {
    const all = takeNow(batches(), 9);
    for (const at of [1, 3, 4, 5]) expect(takeNow(batches(), 9 - at, all[at - 1]!.next)).toEqual(all.slice(at));
    expect(all.map(({ next }) => [next.epoch, next.cursor]).slice(2, 6)).toEqual([
      [0, 30],
      [0, 40],
      [1, 10],
      [1, 20],
    ]);
  });

  it("uses each record once in an epoch, but for what fills no batch", () => {
    const ids = takeNow(batches(), 4).flatMap((batch) => batch.ids);
    expect(new Set(ids).size).toBe(40);
    expect(townRecords.map(({ id }) => id)).toEqual(expect.arrayContaining(ids));
    const even = takeNow(batches({ batchSize: 24 }), 2).flatMap((batch) => batch.ids);
    expect(even.toSorted()).toEqual(townRecords.map(({ id }) => id).toSorted());
  });

  it("marks the tokens of the answer, which may begin and end at tokens of the text or at CLS", () => {
    const [batch] = takeNow(batches({ mix: whole, batchSize: 48 }), 1);
    const rows = rowsOf(batch!);
    const found = rows.map(({ ids, span: [first, last] }) => wordsOf(ids.slice(first, last + 1)));
    const answers = townRecords.map(({ text, answer }) => text.slice(answer!.start, answer!.end).toLowerCase());
    expect(found.toSorted()).toEqual(answers.toSorted());
    for (const { ids, types, mask, open } of rows) {
      const length = mask.lastIndexOf(1) + 1;
      const [question, text] = [ids.indexOf(townTokenizer.sep), length - 1];
      expect(ids[0]).toBe(townTokenizer.cls);
      expect(ids[text]).toBe(townTokenizer.sep);
      expect(ids.slice(length).every((id) => id === townTokenizer.pad)).toBe(true);
      expect(mask).toEqual(ids.map((_, t) => (t < length ? 1 : 0)));
      expect(types).toEqual(ids.map((_, t) => (t > question && t < length ? 1 : 0)));
      expect(open).toEqual(ids.map((_, t) => (t === 0 || (t > question && t < text) ? 1 : 0)));
    }
  });

  it("points at CLS where what is shown does not answer, and only there", () => {
    const one = (kind: keyof ReadingMix): ReadingMix => ({ ...whole, whole: 0, [kind]: 1 });
    for (const kind of ["other", "removed"] as const) {
      for (const { span } of rowsOf(takeNow(batches({ mix: one(kind) }), 1)[0]!)) expect(span).toEqual([0, 0]);
    }
    const rows = takeNow(batches({ batchSize: 48 }), 6).flatMap(rowsOf);
    const none = rows.filter(({ span }) => span[0] === 0);
    expect(none.every(({ span }) => span[1] === 0)).toBe(true);
    // Other, removed, changed, and a fifth of the windows.
    expect(Math.abs(none.length / rows.length - 0.44)).toBeLessThan(0.09);
  });

  it("puts examples of like length into parts of no more tokens than asked for", () => {
    for (const { parts } of takeNow(batches({ partTokens: 150 }), 4)) {
      const sizes = parts.map(({ ids }) => ids!.shape as [number, number]);
      expect(sizes.every(([B, T]) => B * T <= 150)).toBe(true);
      expect(sizes.map(([, T]) => T)).toEqual(sizes.map(([, T]) => T).sort((a, b) => b - a));
      expect(sizes.length).toBeGreaterThan(1);
      for (const { ids, types, mask, open, spans } of parts) {
        for (const tensor of [ids, types, mask, open]) {
          expect(tensor!.shape).toEqual(ids!.shape);
          expect(tensor!.data).toHaveLength(ids!.shape[0]! * ids!.shape[1]!);
        }
        expect(spans!.shape).toEqual([ids!.shape[0], 2]);
      }
    }
    // One that is longer than a part is a part of its own.
    const [small] = takeNow(batches({ partTokens: 1 }), 1);
    expect(small!.parts.map(({ ids }) => ids!.shape[0])).toEqual(Array(10).fill(1));
  });

  it("counts examples, and tokens without padding", () => {
    const [batch] = takeNow(batches(), 1);
    expect(batch).toMatchObject({ divisor: 10, examples: 10 });
    expect(batch!.ids).toHaveLength(10);
    expect(batch!.tokens).toBe(rowsOf(batch!).reduce((sum, { mask }) => sum + mask.reduce((a, b) => a + b), 0));
  });

  it("refuses a batch that the records do not fill, instead of looking for it without end", () => {
    for (const batchSize of [49, 0, Number.NaN]) {
      expect(() => batches({ batchSize })).toThrow(
        `readingBatches: batchSize must be from 1 to 48 (the number of records), got ${batchSize}`,
      );
    }
  });
});

describe("layOutExample", () => {
  const text = "The mill. The mill of Celle was old.";
  const example = { id: "x", question: "What was old?", texts: ["The mill of Celle.", text] };
  const fragments = [
    { evidence: 0, start: 0, end: 18 },
    { evidence: 1, start: 10, end: text.length },
  ];

  it("finds the answer in the fragment of its own text", () => {
    const answer = { evidence: 1, start: 14, end: 27 };
    const { sequence, first, last } = layOutExample({ ...example, fragments, answer }, townTokenizer);
    expect(wordsOf(sequence.ids)).toBe(
      "[CLS] [UNK] was old ? [SEP] the mill of celle . [SEP] the mill of celle was old . [SEP]",
    );
    expect([first, last]).toEqual([13, 15]);
    expect(wordsOf(sequence.ids.subarray(first, last + 1))).toBe("mill of celle");
  });

  it("points at CLS when the answer is not shown, or there is none", () => {
    const hidden = { ...example, fragments, answer: { evidence: 1, start: 4, end: 8 } };
    expect(layOutExample(hidden, townTokenizer)).toMatchObject({ first: 0, last: 0 });
    expect(layOutExample({ ...hidden, answer: null }, townTokenizer)).toMatchObject({ first: 0, last: 0 });
  });
});
