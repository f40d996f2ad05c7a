import type { TokenBatch, Tokenizer } from "@clara/model";
import { describe, expect, it } from "vitest";
import { type Bottleneck, narrow, narrowMemory } from "./bottleneck.ts";
import { createCompressor } from "./compressor.ts";
import { meanKey, rerate } from "./memory.ts";

/** One token per digit. */
const digits: Tokenizer = {
  id: "digits",
  cls: 9,
  sep: 5,
  pad: 0,
  unknown: 1,
  encode: (text) => ({
    ids: Int32Array.from(text, Number),
    starts: Uint32Array.from(text, (_, i) => i),
    ends: Uint32Array.from(text, (_, i) => i + 1),
  }),
};

/** States that can be said by hand: [id, place in the sequence, 1]. */
const encoder = {
  width: 3,
  async run({ ids, shape: [, T] }: TokenBatch) {
    return Float32Array.from({ length: ids.length * 3 }, (_, i) => {
      const at = Math.floor(i / 3);
      return [ids[at]!, at % T, 1][i % 3]!;
    });
  },
};

/** From 3 to 2: a column takes id + 2·place, the other 3 - id. */
const bottleneck: Bottleneck = { weight: Float32Array.of(1, -1, 2, 0, 0, 3), width: 2 };
const wide = createCompressor({ encoder, tokenizer: digits, maxTokens: 8 });
const thin = createCompressor({ encoder, tokenizer: digits, maxTokens: 8, bottleneck });

describe("narrow", () => {
  it("is the product of rows and a matrix", () => {
    // [1 2 3; 4 5 6] · [1 -1; 2 0; 0 3]
    expect([...narrow(Float32Array.of(1, 2, 3, 4, 5, 6), bottleneck)]).toEqual([5, 8, 14, 14]);
    expect([...narrow(Float32Array.of(7, 2), { weight: Float32Array.of(1, 10), width: 1 })]).toEqual([27]);
    expect([...narrow(new Float32Array(0), bottleneck)]).toEqual([]);
  });

  it("leaves its arguments as they are", () => {
    const [vectors, weight] = [Float32Array.of(1, 2, 3), bottleneck.weight.slice()];
    narrow(vectors, bottleneck);
    expect([...vectors, ...bottleneck.weight]).toEqual([1, 2, 3, ...weight]);
  });

  it("commutes with means: of rows, of windows, of a whole memory", async () => {
    const [memory] = await wide.compress([{ text: "31415926" }], { rate: 1 });
    const expectSame = (a: ArrayLike<number>, b: ArrayLike<number>): void => {
      expect(a.length).toBe(b.length);
      Array.from(a).forEach((x, i) => {
        expect(x).toBeCloseTo(b[i]!, 4);
      });
    };
    for (const rate of [2, 3, 16]) {
      const late = narrowMemory(rerate(memory!, rate), bottleneck);
      expectSame(rerate(narrowMemory(memory!, bottleneck), rate).vectors, late.vectors);
      expectSame(meanKey(narrowMemory(memory!, bottleneck)), meanKey(late));
    }
  });
});

describe("narrowMemory", () => {
  it("changes the vectors and their width, and nothing else", async () => {
    const [memory] = await wide.compress([{ text: "314" }], { rate: 2 });
    const { vectors, width, ...rest } = narrowMemory(memory!, bottleneck);
    const { vectors: given, width: before, ...same } = memory!;
    expect(rest).toEqual(same);
    expect([width, before]).toEqual([2, 3]);
    expect(vectors).toEqual(narrow(given, bottleneck));
  });
});

describe("a compressor with a bottleneck", () => {
  it("gives memories as wide as it says, each the wide memory through the bottleneck", async () => {
    expect([wide.width, thin.width]).toEqual([3, 2]);
    const passages = [{ text: "31415926" }, { text: "2", title: "7" }, { text: "" }];
    const [before, after] = await Promise.all([wide, thin].map((one) => one.compress(passages, { rate: 2 })));
    expect(after).toEqual(before!.map((memory) => narrowMemory(memory, bottleneck)));
    // 9 3 | 5: mean [6, ½, 1], then [5, 2, 1].
    const [memory] = await thin.compress([{ text: "3" }], { rate: 2 });
    expect([...memory!.vectors]).toEqual([6 + 2 * 0.5, 3 - 6, 5 + 2 * 2, 3 - 5]);
  });

  it("puts questions into the space of the memories, and gives their states as wide as they were", async () => {
    const { vector, states } = await thin.query("3");
    // The mean of [9, 0, 1], [3, 1, 1], [5, 2, 1] is [17/3, 1, 1].
    const [x, y] = [17 / 3 + 2, 3 - 17 / 3];
    expect([...vector]).toEqual([x / Math.hypot(x, y), y / Math.hypot(x, y)].map((value) => expect.closeTo(value, 6)));
    expect([...states]).toEqual([9, 0, 1, 3, 1, 1, 5, 2, 1]);
  });

  it("agrees with itself: a question has the key of the same text's memory", async () => {
    const text = "3141592653";
    const { vector } = await thin.query(text);
    const [memory] = await thin.compress([{ text }], { rate: 3 });
    expect([...meanKey(memory!)]).toEqual([...vector].map((value) => expect.closeTo(value, 6)));
    expect([vector.length, memory!.width]).toEqual([thin.width, thin.width]);
  });

  it("refuses a bottleneck that does not fit the encoder", () => {
    const make = (weight: Float32Array, width: number) => () =>
      createCompressor({ encoder, tokenizer: digits, bottleneck: { weight, width } });
    const refused = { name: "ClaraError", code: "shape" };
    for (const length of [0, 4, 8]) {
      expect(make(new Float32Array(length), 2)).toThrow(
        expect.objectContaining({
          ...refused,
          message: `createCompressor: the bottleneck from 3 to 2 needs 6 numbers, got ${length}`,
        }),
      );
    }
    for (const width of [0, -1, 1.5, Number.NaN]) {
      expect(make(new Float32Array(Math.abs(3 * width || 0)), width)).toThrow(
        `createCompressor: bottleneck.width must be an integer of at least 1, got ${width}`,
      );
    }
  });
});
