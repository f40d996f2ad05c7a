import type { Evidence, Memory } from "@clara/core";
import { describe, expect, it } from "vitest";
import { chooseSpan, type SpanWeights } from "./choose-span.ts";
import type { Span } from "./reader.ts";

const text = "Alpha 1 kg. Beta 2 kg.\nGamma 3 kg.";
/** Windows "Alpha 1 kg.", "Beta 2 kg." and "Gamma 3 kg."; the first token points along x, the second along y, the third nowhere. */
const memory: Memory = {
  rate: 8,
  count: 3,
  width: 2,
  vectors: Float32Array.of(2, 0, 0, 3, 0, 0),
  tokens: Uint16Array.of(8, 8, 8),
  spans: Uint32Array.of(0, 11, 12, 22, 23, 34),
};
const evidence = (rest: Partial<Evidence> = {}): Evidence => ({ id: "a", title: "", text, score: 0.5, ...rest });
const span = (words: string, score: number, rest: Partial<Span> = {}): Span => {
  const start = text.indexOf(words);
  return { evidence: 0, start, end: start + words.length, score, none: 0, ...rest };
};
const only = (weights: Partial<SpanWeights> = {}): SpanWeights => ({ support: 0, memory: 0, words: 0, ...weights });
const silent = { overlap: () => 0 };
const [one, two, three] = [span("1 kg", 5), span("2 kg", 4), span("3 kg", 3)];
const chosen = (found: Span | undefined) => found && text.slice(found.start, found.end);

describe("chooseSpan", () => {
  it("takes the reader's best over no answer, the earlier of equals, and nothing from nothing", () => {
    expect(chooseSpan([three, one, two], [evidence()], silent, only())).toBe(one);
    expect(chooseSpan([one, { ...two, none: -2 }], [evidence()], silent, only())).toMatchObject({ score: 4 });
    const equal = [span("2 kg", 5), one];
    expect(chooseSpan(equal, [evidence()], silent, only())).toBe(equal[0]);
    expect(chooseSpan([], [], silent, only())).toBeUndefined();
  });

  it("adds the log-odds of the evidence's score", () => {
    // ln 9 = 2.197 for 0.9 against 0 for 0.5: 2 logits behind is made good by a weight of 1, not of 0.9.
    const both = [evidence(), evidence({ score: 0.9 })];
    const spans = [one, { ...three, evidence: 1 }];
    expect(chooseSpan(spans, both, silent, only({ support: 1 }))).toMatchObject({ evidence: 1 });
    expect(chooseSpan(spans, both, silent, only({ support: 0.9 }))).toMatchObject({ evidence: 0 });
  });

  it("adds the cosine of the window that the span is in", () => {
    const asked = { vector: Float32Array.of(0.6, 0.8), overlap: () => 0 };
    const spans = [one, two, three];
    // 5 + 0.6w, 4 + 0.8w, 3 + 0: the second from w = 5 on.
    expect(chosen(chooseSpan(spans, [evidence({ memory })], asked, only({ memory: 5.1 })))).toBe("2 kg");
    expect(chosen(chooseSpan(spans, [evidence({ memory })], asked, only({ memory: 4.9 })))).toBe("1 kg");
    // A span over both windows has the better of the two.
    const wide = span("1 kg. Beta 2 kg", 4.5);
    expect(chooseSpan([one, wide], [evidence({ memory })], asked, only({ memory: 2.6 }))).toBe(wide);
    expect(chooseSpan([one, wide], [evidence({ memory })], asked, only({ memory: 2.4 }))).toBe(one);
  });

  it("does without memories and without the question's vector", () => {
    const weights = only({ memory: 100 });
    expect(chooseSpan([two, one], [evidence()], { vector: Float32Array.of(0, 1), overlap: () => 0 }, weights)).toBe(
      one,
    );
    expect(chooseSpan([two, one], [evidence({ memory })], silent, weights)).toBe(one);
  });

  it("adds what the sentence or the line around it holds of the question's words", () => {
    const seen: string[] = [];
    const overlap = (words: string) => {
      seen.push(words.trim());
      return words.includes("Gamma") ? 0.5 : words.includes("Beta") ? 0.2 : 0;
    };
    // 5, 4 + 0.2w, 3 + 0.5w
    expect(chosen(chooseSpan([one, two, three], [evidence()], { overlap }, only({ words: 4.1 })))).toBe("3 kg");
    expect(seen).toEqual(["Alpha 1 kg", "Beta 2 kg", "Gamma 3 kg."]);
    expect(chosen(chooseSpan([one, two, three], [evidence()], { overlap }, only({ words: 3.9 })))).toBe("1 kg");
    const lone = { ...span("", 1), start: 0, end: 4 };
    chooseSpan([lone], [evidence({ text: "2 kg" })], { overlap }, only());
    expect(seen.at(-1)).toBe("2 kg");
  });
});
