import type { Compressor } from "@clara/compressor";
import type { Memory } from "@clara/core";
import { describe, expect, it } from "vitest";
import { compressedRates, onceForAllRates } from "./once-for-all-rates.ts";

/** One token a letter; a state is the letter's number. */
function letters(runs: number[]): Compressor {
  const compress: Compressor["compress"] = async (passages, { rate = 16 } = {}) => {
    runs.push(rate);
    return passages.map(({ text }): Memory => {
      const windows = text.match(new RegExp(`.{1,${rate}}`, "g")) ?? [];
      const mean = (window: string): number =>
        [...window].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) / window.length;
      return {
        rate,
        count: windows.length,
        width: 1,
        vectors: Float32Array.from(windows, mean),
        tokens: Uint16Array.from(windows, (window) => window.length),
        spans: Uint32Array.from(windows.flatMap((window, i) => [i * rate, i * rate + window.length])),
      };
    });
  };
  return { width: 1, compress } as Compressor;
}

describe("compressedRates", () => {
  it("are those that are no multiple of a finer one", () => {
    expect(compressedRates([64, 1, 16])).toEqual([1]);
    expect(compressedRates([4, 6, 16, 3, 12, 4])).toEqual([3, 4]);
    expect(compressedRates([32])).toEqual([32]);
  });
});

describe("onceForAllRates", () => {
  it("gives the memories that compressing at each rate gives, and compresses once", async () => {
    const runs: number[] = [];
    const passages = [{ text: "abcdefghijk" }, { text: "x" }];
    const ladder = onceForAllRates(letters(runs), [2, 4, 8]);
    for (const rate of [8, 2, 4]) {
      expect(
        await ladder.compress(
          passages.map((passage) => ({ ...passage })),
          { rate },
        ),
      ).toEqual(await letters([]).compress(passages, { rate }));
    }
    expect(runs).toEqual([2]);
  });

  it("compresses again for other passages, and for a rate that follows from none", async () => {
    const runs: number[] = [];
    const ladder = onceForAllRates(letters(runs), [2, 3]);
    await ladder.compress([{ text: "abc" }], { rate: 2 });
    await ladder.compress([{ text: "abc" }], { rate: 3 });
    await ladder.compress([{ text: "abc" }], { rate: 2 });
    await ladder.compress([{ text: "abd" }], { rate: 2 });
    await ladder.compress([{ text: "abd", title: "T" }], { rate: 2 });
    await ladder.compress([{ text: "abd", title: "T" }], { rate: 5 });
    expect(runs).toEqual([2, 3, 2, 2, 5]);
  });
});
