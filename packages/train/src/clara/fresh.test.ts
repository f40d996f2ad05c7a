import { adapterWeights } from "@clara/model";
import { describe, expect, it } from "vitest";
import { addTokens, freshAdapter } from "./fresh.ts";
import { tinyBase } from "./tiny-clara.testing.ts";

describe("freshAdapter", () => {
  it("draws a between ±1/√I, leaves b zero, for every linear map", () => {
    const { base, decoder } = tinyBase();
    const adapter = freshAdapter(base, { rank: 4, seed: 1 });
    expect(Object.keys(adapterWeights(adapter, decoder)).length).toBe(7 * 2);
    const { shape, data } = adapter["layers.0.feedForward.down.a"]!;
    expect(shape).toEqual([24, 4]);
    const largest = Math.max(...data.map(Math.abs));
    expect(largest).toBeLessThanOrEqual(1 / Math.sqrt(24));
    expect(largest).toBeGreaterThan(0.9 / Math.sqrt(24));
    expect(Math.max(...adapter["layers.0.feedForward.down.b"]!.data)).toBe(0);
  });

  it("is the same for the same seed, and refuses a rank that is none", () => {
    const { base } = tinyBase();
    const of = (seed: number) => freshAdapter(base, { rank: 2, seed });
    expect(of(1)).toEqual(of(1));
    expect(of(1)).not.toEqual(of(2));
    expect(() => freshAdapter(base, { rank: 0, seed: 1 })).toThrow("rank must be a whole number above 0, got 0");
  });
});

describe("addTokens", () => {
  it("appends the mean row, with a little noise in the table and none in the head", () => {
    const { base, decoder } = tinyBase();
    const grown = addTokens(base, decoder, { tokens: 3, seed: 1 });
    const mean = (data: Float32Array): number =>
      data.reduce((sum, value, i) => sum + (i % 16 === 5 ? value : 0), 0) / 12;
    expect(grown.words!.shape).toEqual([15, 16]);
    expect(grown.words!.data.subarray(0, 12 * 16)).toEqual(base.words!.data);
    const [first, second] = [12, 13].map((token) => grown.words!.data[token * 16 + 5]!);
    expect(Math.abs(first! - mean(base.words!.data))).toBeLessThan(0.02);
    expect(first).not.toBe(second);
    expect(grown.head!.data[14 * 16 + 5]).toBeCloseTo(mean(base.head!.data), 6);
  });

  it("puts them behind the tokenizer's tokens where the table is longer", () => {
    const { base, decoder } = tinyBase();
    const grown = addTokens(base, decoder, { tokens: 3, seed: 1, first: 10 });
    expect(grown.words!.shape).toEqual([13, 16]);
    expect(grown.words!.data.subarray(0, 10 * 16)).toEqual(base.words!.data.subarray(0, 10 * 16));
    const mean = base.head!.data.reduce((sum, value, i) => sum + (i < 160 && i % 16 === 5 ? value : 0), 0) / 10;
    expect(grown.head!.shape).toEqual([13, 16]);
    expect(grown.head!.data[11 * 16 + 5]).toBeCloseTo(mean, 6);
    for (const first of [0, 13, 2.5]) {
      const add = () => addTokens(base, decoder, { tokens: 3, seed: 1, first });
      expect(add).toThrow(`first must be a whole number from 1 to 12, got ${first}`);
    }
  });

  it("keeps a tied head tied, and refuses a table that has grown before", () => {
    const { base, decoder } = tinyBase();
    const { head: _, ...tied } = base;
    expect(addTokens(tied, decoder, { tokens: 3, seed: 1 }).head).toBe(undefined);
    const grown = addTokens(base, decoder, { tokens: 3, seed: 1 });
    expect(() => addTokens(grown, decoder, { tokens: 3, seed: 1 })).toThrow("the vocabulary's 12 rows, got 15");
  });
});
