import type { Memory } from "@clara/core";
import type { TokenBatch, Tokenizer } from "@clara/model";
import { describe, expect, it } from "vitest";
import { createCompressor } from "./compressor.ts";
import { meanKey } from "./memory.ts";

/** Words are numbers and stand for themselves: "7 9" has the ids 7 and 9. */
const numbers: Tokenizer = {
  id: "numbers",
  cls: 100,
  sep: 200,
  pad: 0,
  unknown: 1,
  encode(text) {
    const words = [...text.matchAll(/\d+/g)];
    return {
      ids: Int32Array.from(words, ([word]) => Number(word)),
      starts: Uint32Array.from(words, ({ index }) => index),
      ends: Uint32Array.from(words, (word) => word.index + word[0].length),
    };
  },
};

/** An encoder whose states can be said by hand: [id, place in the sequence]. Remembers what it was given. */
function idsAndPlaces() {
  const batches: TokenBatch[] = [];
  return {
    batches,
    width: 2,
    async run(batch: TokenBatch, { signal }: { signal?: AbortSignal | undefined } = {}) {
      signal?.throwIfAborted();
      batches.push(batch);
      const [, T] = batch.shape;
      return Float32Array.from({ length: batch.ids.length * 2 }, (_, i) => {
        const at = Math.floor(i / 2);
        if (batch.mask[at] === 0) return Number.NaN; // padding must not reach a memory
        return i % 2 === 0 ? batch.ids[at]! : at % T;
      });
    },
  };
}

const make = (maxTokens = 256) => {
  const encoder = idsAndPlaces();
  return { encoder, compressor: createCompressor({ encoder, tokenizer: numbers, maxTokens }) };
};

async function one(text: string, rate: number, title = "", maxTokens = 256): Promise<Memory> {
  const [memory] = await make(maxTokens).compressor.compress([{ text, title }], { rate });
  return memory!;
}

describe("compress", () => {
  it("averages windows of [CLS] text [SEP], the last one shorter, and says what each covers", async () => {
    const memory = await one("10 20  30", 2);
    // 100 10 | 20 30 | 200
    expect(memory).toEqual({
      rate: 2,
      count: 3,
      width: 2,
      vectors: Float32Array.of(55, 0.5, 25, 2.5, 200, 4),
      tokens: Uint16Array.of(2, 2, 1),
      spans: Uint32Array.of(0, 2, 3, 9, 0, 0),
    });
  });

  it("puts the title before the text; windows of the title alone cover nothing", async () => {
    const { vectors, spans } = await one("7 8 9", 2, "1 2 3");
    // 100 1 | 2 3 | 7 8 | 9 200
    expect([...vectors].filter((_, i) => i % 2 === 0)).toEqual([50.5, 2.5, 7.5, 104.5]);
    expect([...spans]).toEqual([0, 0, 0, 0, 0, 3, 4, 5]);
  });

  it("makes CLS and SEP one vector for an empty text", async () => {
    const memory = await one("", 16);
    expect(memory.count).toBe(1);
    expect([...memory.vectors, ...memory.tokens, ...memory.spans]).toEqual([150, 0.5, 2, 0, 0]);
  });

  it("encodes a long passage in parts that each have the title, and loses no token", async () => {
    const { encoder, compressor } = make(8);
    const [memory] = await compressor.compress([{ text: "1 2 3 4 5 6 7", title: "50 60" }], { rate: 4 });
    // 100 50 60 1 2 3 4 200, 100 50 60 5 6 7 200: the longest sequence first
    expect(encoder.batches.map(({ ids }) => [...ids])).toEqual([
      [100, 50, 60, 1, 2, 3, 4, 200, 100, 50, 60, 5, 6, 7, 200, 0],
    ]);
    expect([...memory!.tokens]).toEqual([4, 4, 4, 3]);
    expect([...memory!.spans]).toEqual([0, 1, 2, 7, 8, 9, 10, 13]);
  });

  it("lets windows run on from part to part", async () => {
    const memory = await one("1 2 3 4", 3, "", 4);
    // 100 1 2 | 200 100 3 | 4 200
    expect([...memory.tokens]).toEqual([3, 3, 2]);
    expect([...memory.vectors].filter((_, i) => i % 2 === 0)).toEqual([Math.fround(103 / 3), 101, 102]);
    expect([...memory.spans]).toEqual([0, 3, 4, 5, 6, 7]);
  });

  it("keeps a long title when everything fits, and leaves it out of a long passage", async () => {
    const short = make(8);
    await short.compressor.compress([
      { text: "1", title: "50 60 70 80 90" },
      { text: "", title: "51 60 70 80 90 99" },
    ]);
    expect([...short.encoder.batches[0]!.ids]).toEqual([
      100, 50, 60, 70, 80, 90, 1, 200, 100, 51, 60, 70, 80, 90, 99, 200,
    ]);
    const long = make(8);
    await long.compressor.compress([{ text: "1 2 3", title: "50 60 70 80 90" }]);
    expect([...long.encoder.batches[0]!.ids]).toEqual([100, 1, 2, 3, 200]);
  });

  it("gives the same memories in the caller's order whatever the batches are", async () => {
    const passages = Array.from({ length: 40 }, (_, i) => ({
      text: Array.from({ length: (i * 7) % 23 }, (_, j) => i + j + 1).join(" "),
      ...(i % 3 === 0 && { title: `${i + 1} 5` }),
    }));
    const expected = await Promise.all(passages.map(({ text, title }) => one(text, 4, title, 12)));
    for (const batchTokens of [1, 30, 4096]) {
      const { encoder, compressor } = make(12);
      expect(await compressor.compress(passages, { rate: 4, batchTokens })).toEqual(expected);
      for (const { shape } of encoder.batches) {
        expect(shape[0] === 1 || shape[0] * shape[1] <= batchTokens).toBe(true);
      }
    }
  });

  it("encodes equal passages once, but not the same text under another title", async () => {
    const { encoder, compressor } = make();
    const memories = await compressor.compress([
      { text: "1 2" },
      { text: "3" },
      { text: "1 2" },
      { text: "2", title: "1 " },
    ]);
    expect(encoder.batches.map(({ shape }) => shape[0])).toEqual([3]);
    expect(memories[2]).toEqual(memories[0]);
    expect(memories[3]).not.toEqual(memories[0]);
  });

  it("reports after each batch how many passages are finished, up to all", async () => {
    const { compressor } = make(6);
    const calls: [number, number][] = [];
    // Sequences of 6, 6 and 3 tokens, 3 (twice the same), and 4.
    const passages = [{ text: "1 2 3 4 5 6 7 8 9" }, { text: "1" }, { text: "1" }, { text: "2 3" }];
    await compressor.compress(passages, { batchTokens: 6, onProgress: (...call) => calls.push(call) });
    expect(calls).toEqual([
      [0, 4],
      [0, 4],
      [1, 4],
      [4, 4],
    ]);
  });

  it("handles more passages than it holds at a time, and none", async () => {
    const passages = Array.from({ length: 2500 }, (_, i) => ({ text: String(i + 1) }));
    const memories = await make().compressor.compress(passages, { rate: 1 });
    expect(memories.map(({ vectors }) => vectors[2])).toEqual(passages.map((_, i) => i + 1));
    expect(await make().compressor.compress([])).toEqual([]);
  });

  it("stops for a signal before the first and between two batches", async () => {
    const fired = { signal: AbortSignal.abort() };
    await expect(make().compressor.compress([{ text: "1" }], fired)).rejects.toMatchObject({ code: "aborted" });
    const { encoder, compressor } = make();
    const stop = new AbortController();
    const options = { batchTokens: 1, signal: stop.signal, onProgress: () => stop.abort() };
    await expect(compressor.compress([{ text: "1" }, { text: "2" }], options)).rejects.toMatchObject({
      code: "aborted",
    });
    expect(encoder.batches.length).toBe(1);
  });

  it("refuses rates and sizes that are no whole number in range", async () => {
    for (const rate of [0, 257, 1.5, Number.NaN]) {
      await expect(make().compressor.compress([], { rate })).rejects.toMatchObject({
        code: "option",
        message: `compress: rate must be an integer from 1 to 256, got ${rate}`,
      });
    }
    await expect(make().compressor.compress([], { batchTokens: 0 })).rejects.toMatchObject({ code: "option" });
    expect(() => make(3)).toThrow(/maxTokens must be an integer of at least 4, got 3/);
  });
});

describe("query", () => {
  it("is the mean of all states, CLS and SEP included, at length 1", async () => {
    // Ids 100, 2, 200 and places 0, 1, 2: means 302/3 and 1.
    const { vector } = await make().compressor.query("2");
    const length = Math.hypot(302 / 3, 1);
    expect(vector[0]).toBeCloseTo(302 / 3 / length, 6);
    expect(vector[1]).toBeCloseTo(1 / length, 6);
  });

  it("equals the mean key of the same text's memory at any rate", async () => {
    const text = "5 3 8 1 90 4 7";
    const { vector } = await make(6).compressor.query(text);
    for (const rate of [1, 3, 16]) {
      const key = meanKey(await one(text, rate, "", 6));
      for (const [d, x] of key.entries()) expect(x).toBeCloseTo(vector[d]!, 6);
    }
  });

  it("gives the states of a question one by one", async () => {
    expect([...(await make().compressor.query("2")).states]).toEqual([100, 0, 2, 1, 200, 2]);
  });

  it("stops for a signal", async () => {
    const signal = AbortSignal.abort();
    await expect(make().compressor.query("2", { signal })).rejects.toMatchObject({ code: "aborted" });
  });
});
