import { ClaraError } from "@clara/core";
import { describe, expect, it } from "vitest";
import { bestSpans, spanHead, spanLogits } from "./reader.ts";
import type { Sequence } from "./sequences.ts";

// [CLS] q [SEP] a b [SEP] c [SEP]
const sequence: Sequence = {
  ids: Int32Array.from([101, 5, 102, 6, 7, 102, 8, 102]),
  types: Int32Array.from([0, 0, 0, 1, 1, 1, 1, 1]),
  clause: Int32Array.from([-1, -1, -1, 0, 0, -1, 1, -1]),
  starts: Uint32Array.from([0, 0, 0, 0, 4, 0, 20, 0]),
  ends: Uint32Array.from([0, 0, 0, 3, 9, 0, 25, 0]),
  evidence: [2, 0],
  asks: [false, false],
};

describe("bestSpans", () => {
  it("gives the best span of each clause, with the score at CLS beside it", () => {
    const start = Float32Array.from([0.5, 9, 9, 3, 1, 9, 2, 9]);
    const end = Float32Array.from([0.25, 9, 9, 1, 2, 9, 4, 9]);
    expect(bestSpans(sequence, { start, end }, 30)).toEqual([
      { evidence: 2, start: 0, end: 9, score: 5, none: 0.75 },
      { evidence: 0, start: 20, end: 25, score: 6, none: 0.75 },
    ]);
  });

  it("finds none in a clause that asks the question again", () => {
    const logits = { start: new Float32Array(8).fill(1), end: new Float32Array(8).fill(1) };
    const found = (asks: boolean[]) => bestSpans({ ...sequence, asks }, logits, 30).map(({ evidence }) => evidence);
    expect([found([true, false]), found([false, true]), found([true, true])]).toEqual([[0], [2], []]);
  });

  it("never ends before it starts, nor runs longer than allowed", () => {
    const start = Float32Array.from([0, 0, 0, 0, 5, 0, 0, 0]);
    const end = Float32Array.from([0, 0, 0, 5, 0, 0, 0, 0]);
    // 4 → 3 would score 10.
    expect(bestSpans(sequence, { start, end }, 30)[0]).toMatchObject({ start: 0, end: 3, score: 5 });
    const long = {
      start: Float32Array.from([0, 0, 0, 5, 0, 0, 0, 0]),
      end: Float32Array.from([0, 0, 0, 0, 5, 0, 0, 0]),
    };
    expect(bestSpans(sequence, long, 1)[0]).toMatchObject({ start: 0, end: 3, score: 5 });
    expect(bestSpans(sequence, long, 2)[0]).toMatchObject({ start: 0, end: 9, score: 10 });
  });
});

describe("spanLogits", () => {
  it("is states · weightᵀ + bias", () => {
    const head = { weight: Float32Array.from([1, 2, 3, 4]), bias: Float32Array.from([0.5, -0.5]) };
    const { start, end } = spanLogits(Float32Array.from([1, 1, 0, 2]), head, 2);
    expect([...start]).toEqual([3.5, 4.5]);
    expect([...end]).toEqual([6.5, 7.5]);
  });
});

describe("spanHead", () => {
  it("refuses weights without a head, or of another width", () => {
    expect(() => spanHead({}, "reader.span", 4)).toThrow(/reader.span.weight \[2, 4\].*got none/);
    const weights = {
      "h.weight": { shape: [2, 3], data: new Float32Array(6) },
      "h.bias": { shape: [2], data: new Float32Array(2) },
    };
    expect(() => spanHead(weights, "h", 4)).toThrow(ClaraError);
    expect(spanHead(weights, "h", 3).weight).toHaveLength(6);
  });
});
