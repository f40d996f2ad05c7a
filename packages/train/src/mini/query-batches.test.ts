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
    ...{ groupSize: 4, strangers: 3, rate: 8 },
    ...options,
  });

/** Which text a memory is of. */
const textBy = new Map(townRecords.map(({ text }) => [memoryTokens(literalStates(text), 8, 4).join(), text]));

interface Row {
  readonly record: SpanRecord;
  readonly question: string;
  /** The candidates' memories, with what is said about each memory token. */
  readonly candidates: readonly Record<"memories" | "tokens" | "overlap" | "holds", number[]>[];
}

function rowsOf({ parts: [part], ids }: TrainingBatch): Row[] {
  const [B, N, M, width] = part!.memories!.shape as [number, number, number, number];
  const cut = (name: string, b: number, n: number, size: number): number[] => {
    const at = (b * N + n) * size;
    return Array.from(part![name]!.data as Float32Array).slice(at, at + size);
  };
  const U = part!.question!.shape[1]!;
  return Array.from({ length: B }, (_, b) => ({
    record: townRecords.find(({ id }) => id === ids[b])!,
    question: wordsOf(
      Array.from(part!.question!.data)
        .slice(b * U, (b + 1) * U)
        .filter((_, u) => part!.questionMask!.data[b * U + u] === 1),
    ),
    candidates: Array.from({ length: N }, (_, n) => ({
      memories: cut("memories", b, n, M * width),
      tokens: cut("tokens", b, n, M),
      overlap: cut("overlap", b, n, M),
      holds: cut("holds", b, n, M),
    })),
  }));
}

describe("queryBatches", () => {
  it("gives each question its own passage first, then others of its subject, then strangers", async () => {
    const corpus = readingCorpus(townRecords);
    expect(textBy.size).toBe(16);
    const rows = (await take(batches({ batchSize: 12 }), 6)).flatMap(rowsOf);
    for (const { record, question, candidates } of rows) {
      expect(question).toBe(`[CLS] ${townText(record.question)} [SEP]`);
      const texts = candidates.map(({ memories }) => textBy.get(memories.join()));
      expect(texts).toHaveLength(4 + 3);
      expect(texts[0]).toBe(record.text);
      const own = corpus.texts(record.group);
      expect(texts.slice(0, 4).toSorted()).toEqual(own.toSorted());
      expect(texts.slice(4).filter((text) => text === undefined || own.includes(text))).toEqual([]);
      for (const { tokens } of candidates) expect(tokens).toEqual([8, 8, 8, 8, 8]);
    }
  });

  it("marks the windows of the first candidate that hold the answer, and none of the others", async () => {
    for (const { record, candidates } of (await take(batches(), 3)).flatMap(rowsOf)) {
      const { starts, ends } = townTokenizer.encode(record.text);
      const held = new Set<number>();
      starts.forEach((start, t) => {
        if (start < record.answer!.end && ends[t]! > record.answer!.start) held.add(Math.floor((t + 1) / 8));
      });
      expect(candidates[0]!.holds).toEqual([0, 1, 2, 3, 4].map((m) => (held.has(m) ? 1 : 0)));
      for (const { holds } of candidates.slice(1)) expect(holds).toEqual([0, 0, 0, 0, 0]);
    }
  });

  it("says how much of the question's words each window's text has", async () => {
    const corpus = readingCorpus(townRecords);
    for (const { record, candidates } of (await take(batches(), 1)).flatMap(rowsOf)) {
      for (const { memories, overlap } of candidates) {
        const text = textBy.get(memories.join())!;
        const { starts, ends } = townTokenizer.encode(text);
        const slice = (m: number): string => text.slice(starts[Math.max(0, 8 * m - 1)], ends[Math.min(37, 8 * m + 6)]);
        expectClose(overlap, [0, 1, 2, 3, 4].map(slice).map(corpus.overlap(record.question)));
      }
    }
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
    const rows = (await take(batches({ store: cut }), 3)).flatMap(rowsOf);
    const late = rows.filter(({ record }) => record.answer!.start > 45);
    expect(late.length).toBeGreaterThan(3);
    for (const { candidates } of late) expect(candidates[0]!.holds).toEqual([0, 1]);
    for (const { candidates } of rows) expect(candidates[0]!.tokens).toEqual([8, 1]);
  });

  it("pads shorter memories with nothing", async () => {
    const records = townRecords.map((record, i) => {
      return i < 3 ? { ...record, text: "Anna Adams came.", answer: { start: 0, end: 10 } } : record;
    });
    const rows = (await take(batches({ records, batchSize: 16 }), 1)).flatMap(rowsOf);
    const short = rows.flatMap(({ candidates }) => candidates).filter(({ tokens }) => tokens[1] === 0);
    expect(short.length).toBeGreaterThan(0);
    for (const { tokens, memories, overlap } of short) {
      expect(tokens).toEqual([6, 0, 0, 0, 0]);
      expect(memories.slice(4)).toEqual(Array(16).fill(0));
      expect(overlap.slice(1)).toEqual([0, 0, 0, 0]);
    }
  });

  it("has no strangers where there is one subject only", async () => {
    const rows = (await take(batches({ batchSize: 4 }), 1)).flatMap(rowsOf);
    expect(rows.map(({ candidates }) => candidates.length)).toEqual([4, 4, 4, 4]);
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
      expect(tokens).toBe(8 * parts[0]!.tokens!.shape[1]!);
    }
  });

  it("refuses a batch that the groups do not fill, instead of looking for it without end", async () => {
    await expect(take(batches({ batchSize: 64 }), 1)).rejects.toThrow(/^queryBatches: batchSize must be a multiple of/);
    await expect(take(batches({ batchSize: 6 }), 1)).rejects.toMatchObject({ code: "option" });
  });
});
