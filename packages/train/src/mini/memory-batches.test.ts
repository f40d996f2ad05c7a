import type { HostTensors } from "@clara/engine";
import { expectClose } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { readingCorpus } from "../reading/corpus.ts";
import type { SpanRecord } from "../reading/span-record.ts";
import { townRecords, townText, townTokenizer, wordsOf } from "../reading/towns.testing.ts";
import { take } from "../take-batches.testing.ts";
import type { Batches } from "../train-steps.ts";
import { literalStates, literalStore } from "./literal-store.testing.ts";
import { type MemoryBatchesOptions, memoryBatches } from "./memory-batches.ts";
import { memoryTokens, type PassageStore } from "./passage-states.ts";

const batches = (options: Partial<MemoryBatchesOptions> = {}): Batches =>
  memoryBatches({
    ...{ records: townRecords, store: literalStore, tokenizer: townTokenizer, seed: 5, batchSize: 12 },
    ...{ rates: [8], astray: 0 },
    ...options,
  });

/** The rows of a part: each tensor cut at its first axis. */
function rowsOf(part: HostTensors): Record<string, number[]>[] {
  return Array.from({ length: part.question!.shape[0]! }, (_, b) =>
    Object.fromEntries(
      Object.entries(part).map(([name, { data, shape }]) => {
        const size = data.length / shape[0]!;
        return [name, Array.from(data as Float32Array).slice(b * size, (b + 1) * size)];
      }),
    ),
  );
}

const recordOf = (question: number[]): SpanRecord => {
  const words = wordsOf(question.filter((id) => id !== townTokenizer.pad));
  return townRecords.find(({ question }) => `[CLS] ${townText(question)} [SEP]` === words)!;
};
const saidIn = ({ text, answer }: SpanRecord): string => townText(text.slice(answer!.start, answer!.end));
/** The text that a row points into: the middle of each five. */
const textOf = ({ near }: Record<string, number[]>): string => wordsOf(near!.filter((_, i) => i % 5 === 2));

describe("memoryBatches", () => {
  it("gives the memory of each text at the rate, and what covers what", async () => {
    const [batch] = await take(batches(), 1);
    const rows = batch!.parts.flatMap(rowsOf);
    expect(rows).toHaveLength(12);
    for (const row of rows) {
      const record = recordOf(row.question!);
      expect(textOf(row)).toBe(townText(record.text));
      // 38 tokens with CLS before them and SEP behind: 5 memory tokens of 8.
      expectClose(row.memory!, memoryTokens(literalStates(record.text), 8, 4));
      expect(row.memoryMask).toEqual([1, 1, 1, 1, 1]);
      expect(row.window).toEqual(Array.from({ length: 38 }, (_, t) => Math.floor((t + 1) / 8)));
      expect(row.open).toEqual(Array(38).fill(1));
    }
  });

  it("points at the answer from entry 1 on, and marks the windows that hold it", async () => {
    for (const row of (await take(batches({ rates: [4] }), 3)).flatMap(({ parts }) => parts.flatMap(rowsOf))) {
      const record = recordOf(row.question!);
      const [first, last] = row.spans as [number, number];
      expect(
        textOf(row)
          .split(" ")
          .slice(first - 1, last)
          .join(" "),
      ).toBe(saidIn(record));
      const held = new Set(row.window!.slice(first - 1, last));
      expect(row.holds).toEqual(row.holds!.map((_, m) => (held.has(m) ? 1 : 0)));
    }
  });

  it("shows each token with two neighbours on each side, and which of them are in the question", async () => {
    const [batch] = await take(batches(), 1);
    for (const row of batch!.parts.flatMap(rowsOf)) {
      const words = textOf(row).split(" ");
      const asked = new Set(
        wordsOf(row.question!)
          .split(" ")
          .filter((word) => !word.startsWith("[")),
      );
      words.forEach((_, t) => {
        const around = [-2, -1, 0, 1, 2].map((k) => words[t + k]);
        expect(wordsOf(row.near!.slice(5 * t, 5 * t + 5)).split(" ")).toEqual(around.map((word) => word ?? "[PAD]"));
        expect(row.match!.slice(5 * t, 5 * t + 5)).toEqual(around.map((word) => (asked.has(word!) ? 1 : 0)));
      });
    }
  });

  it("says how much of the question's words each window's text has", async () => {
    const corpus = readingCorpus(townRecords);
    const [batch] = await take(batches(), 1);
    for (const row of batch!.parts.flatMap(rowsOf)) {
      const { text, question } = recordOf(row.question!);
      const { starts, ends } = townTokenizer.encode(text);
      const windows = [0, 1, 2, 3, 4].map((m) =>
        text.slice(starts[Math.max(0, 8 * m - 1)], ends[Math.min(37, 8 * m + 6)]),
      );
      expectClose(row.overlap!, windows.map(corpus.overlap(question)));
    }
  });

  it("pads shorter rows with nothing", async () => {
    const [short, long] = [townRecords[0]!, townRecords[20]!];
    const text = "Anna Adams came.";
    const records = [{ ...short, text, answer: { start: 0, end: 10 } }, long];
    const [batch] = await take(batches({ records, batchSize: 2 }), 1);
    const rows = batch!.parts.flatMap(rowsOf);
    // The longest text is first.
    expect(rows.map((row) => recordOf(row.question!).id)).toEqual([long.id, short.id]);
    const row = rows[1]!;
    expect(row.memoryMask).toEqual([1, 0, 0, 0, 0]);
    expect(row.memory!.slice(4)).toEqual(Array(16).fill(0));
    expect(row.open!.lastIndexOf(1)).toBe(3);
    expect([row.holds, row.spans]).toEqual([
      [1, 0, 0, 0, 0],
      [1, 2],
    ]);
    expect(row.near!.slice(20).every((id) => id === townTokenizer.pad)).toBe(true);
    expect(row.questionMask).toEqual(row.question!.map((id) => (id === townTokenizer.pad ? 0 : 1)));
  });

  it("asks some questions of another text of the subject, which does not answer", async () => {
    const rows = (await take(batches({ astray: 0.3, batchSize: 48 }), 5)).flatMap(({ parts }) => parts.flatMap(rowsOf));
    const astray = rows.filter((row) => textOf(row) !== townText(recordOf(row.question!).text));
    expect(Math.abs(astray.length / rows.length - 0.3)).toBeLessThan(0.1);
    for (const row of astray) {
      const record = recordOf(row.question!);
      expect(textOf(row)).toContain(record.group.toLowerCase());
      expect(textOf(row)).not.toContain(saidIn(record));
      expect([row.spans, new Set(row.holds)]).toEqual([[0, 0], new Set([0])]);
    }
  });

  it("asks no other text that mentions the answer, and the question's own where there is none", async () => {
    const [record, other] = [townRecords[0]!, townRecords[3]!];
    const loud = {
      ...other,
      text: "The bridge was what ANNA ADAMS came for, after the bridge.",
      answer: { start: 0, end: 3 },
    };
    const texts = async (records: readonly SpanRecord[]): Promise<string[]> =>
      (await take(batches({ records, batchSize: records.length, astray: 1 }), 20))
        .flatMap(({ parts }) => parts.flatMap(rowsOf))
        .filter((row) => recordOf(row.question!) === record)
        .map(textOf);
    expect(new Set(await texts([record, loud]))).toEqual(new Set([townText(record.text)]));
    expect(await texts([record, loud, other])).toContain(townText(other.text));
    expect(await texts([record, loud, other])).not.toContain(townText(loud.text));
  });

  it("shows nothing of a text beyond what has been compressed, and takes an answer there for none", async () => {
    const store: PassageStore = {
      ...literalStore,
      get: async (passages) =>
        (await literalStore.get(passages)).map((states) => ({
          ...states,
          length: 9,
          values: states.values.slice(0, 36),
        })),
    };
    const rows = (await take(batches({ store }), 4)).flatMap(({ parts }) => parts.flatMap(rowsOf));
    for (const row of rows) {
      const { text, answer } = recordOf(row.question!);
      const words = townText(text).split(" ").slice(0, 7);
      expect(textOf(row)).toBe(words.join(" "));
      expect(wordsOf(row.near!.slice(-5))).toBe(`${words.slice(4).join(" ")} [PAD] [PAD]`);
      if (answer!.start > 45)
        expect([row.spans, row.holds]).toEqual([
          [0, 0],
          [0, 0],
        ]);
    }
  });

  it("goes on from any position to the same batches, which the seed and the epoch decide", async () => {
    const varied = { astray: 0.3, rates: [4, 8, 16], partSize: 5 };
    const all = await take(batches(varied), 7);
    for (const at of [1, 3, 4, 5])
      expect(await take(batches(varied), 7 - at, all[at - 1]!.next)).toEqual(all.slice(at));
    expect((await take(batches({ ...varied, seed: 6 }), 1))[0]!.ids).not.toEqual(all[0]!.ids);
    expect(all[4]!.ids).not.toEqual(all[0]!.ids);
    expect(
      all
        .slice(0, 4)
        .flatMap(({ ids }) => ids)
        .toSorted(),
    ).toEqual(townRecords.map(({ id }) => id).toSorted());
    for (const { parts, divisor, examples, tokens } of all) {
      expect(parts.map(({ memory }) => memory!.shape[0])).toEqual([5, 5, 2]);
      expect([divisor, examples]).toEqual([12, 12]);
      expect(tokens).toBe(
        parts.reduce((sum, { memoryMask, question }) => sum + memoryMask!.data.length + question!.data.length, 0),
      );
    }
    const counts = new Set(all.flatMap(({ parts }) => parts.map(({ memory }) => memory!.shape[1])));
    expect(counts).toEqual(new Set([10, 5, 3]));
  });

  it("refuses a batch that the records do not fill, instead of looking for it without end", () => {
    for (const batchSize of [49, 0]) {
      expect(() => batches({ batchSize })).toThrow(
        `memoryBatches: batchSize must be from 1 to 48 (the number of records), got ${batchSize}`,
      );
    }
  });

  it("asks the questions of a passage side by side where told to, each once an epoch", async () => {
    const records = townRecords.map((record, index) => ({ ...record, id: `${record.id}/${index}` }));
    const steps = await take(batches({ records, batchSize: 1, together: 3 }), records.length);
    const asked = steps.map(({ ids }) => ids[0]!);
    expect(asked.toSorted()).toEqual(records.map(({ id }) => id).toSorted());
    const texts = asked.map((id) => records.find((record) => record.id === id)!.text);
    const runs = texts.reduce((n, text, at) => n + (text === texts[at - 1] ? 0 : 1), 0);
    const mostRuns = [...Map.groupBy(texts, (text) => text).values()].reduce(
      (n, of) => n + Math.ceil(of.length / 3),
      0,
    );
    expect(runs).toBeLessThanOrEqual(mostRuns);
    expect(mostRuns).toBeLessThan(records.length);
  });
});
