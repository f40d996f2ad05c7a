import { describe, expect, it } from "vitest";
import { letters } from "./letters.testing.ts";
import { layOut, questionTokens } from "./sequences.ts";

const code = (text: string) => [...text].map((c) => c.charCodeAt(0));

describe("layOut", () => {
  it("puts the fragments of a group behind the question, with offsets into their texts", () => {
    const [sequence, ...rest] = layOut(
      "q?",
      ["abcdef", "xyz"],
      [
        [
          { evidence: 0, start: 2, end: 4 },
          { evidence: 1, start: 0, end: 3 },
        ],
      ],
      letters,
    );
    expect(rest).toEqual([]);
    expect([...sequence!.ids]).toEqual([1, ...code("q?"), 2, ...code("cd"), 2, ...code("xyz"), 2]);
    expect([...sequence!.types]).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1]);
    expect([...sequence!.clause]).toEqual([-1, -1, -1, -1, 0, 0, -1, 1, 1, 1, -1]);
    expect([...sequence!.starts.slice(4, 6)]).toEqual([2, 3]);
    expect([...sequence!.ends.slice(7, 10)]).toEqual([1, 2, 3]);
    expect(sequence!.evidence).toEqual([0, 1]);
  });

  it("numbers the clauses, each with its evidence", () => {
    const [sequence] = layOut(
      "q",
      ["It ran. Then", "x"],
      [
        [
          { evidence: 0, start: 0, end: 12 },
          { evidence: 1, start: 0, end: 1 },
        ],
      ],
      letters,
    );
    expect([...sequence!.clause]).toEqual([-1, -1, -1, ...new Array(8).fill(0), ...new Array(4).fill(1), -1, 2, -1]);
    expect(sequence!.evidence).toEqual([0, 0, 1]);
  });

  it("cuts a text that is too long into pieces that overlap, and loses no token", () => {
    const text = "abcdefghijklmnopqrstuvwxyz";
    const rows = layOut("q", [text], [[{ evidence: 0, start: 0, end: 26 }]], letters, {
      maxTokens: 14,
      strideTokens: 4,
    });
    const seen = rows.map(({ starts, clause }) =>
      text.slice(starts[clause.indexOf(0)], starts[clause.lastIndexOf(0)]! + 1),
    );
    expect(seen).toEqual(["abcdefghij", "ghijklmnop", "mnopqrstuv", "stuvwxyz"]);
    expect(Math.max(...rows.map(({ ids }) => ids.length))).toBe(14);
  });

  it("starts a further sequence when a group does not fit, and keeps groups apart", () => {
    const both = [
      { evidence: 0, start: 0, end: 6 },
      { evidence: 1, start: 0, end: 6 },
    ];
    expect(layOut("q", ["aaaaaa", "bbbbbb"], [both], letters, { maxTokens: 14, strideTokens: 2 })).toHaveLength(2);
    expect(layOut("q", ["aaaaaa", "bbbbbb"], [both], letters, { maxTokens: 32, strideTokens: 2 })).toHaveLength(1);
    expect(
      layOut(
        "q",
        ["aaaaaa", "bbbbbb"],
        both.map((fragment) => [fragment]),
        letters,
      ),
    ).toHaveLength(2);
  });

  it("puts a group's title before its fragments, where no answer is, in each of its sequences", () => {
    const group = [
      { evidence: 1, start: 0, end: 6 },
      { evidence: 1, start: 8, end: 14 },
    ];
    const texts = ["", "abcdef, ghijkl"];
    const [whole] = layOut("q", texts, [group], letters, { titles: ["no", "Tt"] });
    expect([...whole!.ids]).toEqual([1, ...code("q"), 2, ...code("Tt"), 2, ...code("abcdef"), 2, ...code("ghijkl"), 2]);
    expect([...whole!.types.slice(0, 5)]).toEqual([0, 0, 0, 1, 1]);
    expect([...whole!.clause.slice(3, 7)]).toEqual([-1, -1, -1, 0]);
    const rows = layOut("q", texts, [group], letters, { titles: ["no", "Tt"], maxTokens: 13, strideTokens: 2 });
    expect(rows.map(({ ids }) => [...ids.slice(3, 6)])).toEqual([0, 1].map(() => [...code("Tt"), 2]));
    expect(Math.max(...rows.map(({ ids }) => ids.length))).toBe(13);
    // An empty title is none, and a long one ends after 32 tokens.
    expect(layOut("q", texts, [group], letters, { titles: ["", ""] })).toEqual(layOut("q", texts, [group], letters));
    const [long] = layOut("q", texts, [group], letters, { titles: ["", "t".repeat(99)] });
    expect(long!.ids.indexOf(2, 3)).toBe(3 + 32);
  });

  it("reads a long question only as far as the documented limit", () => {
    const [sequence] = layOut("q".repeat(1000), ["abc"], [[{ evidence: 0, start: 0, end: 3 }]], letters);
    expect(sequence!.ids).toHaveLength(1 + questionTokens + 1 + 3 + 1);
  });

  it("knows a clause that asks the question again from one that tells, and from another question", () => {
    const asks = (question: string, ...texts: string[]): readonly boolean[] => {
      const group = texts.map((text, evidence) => ({ evidence, start: 0, end: text.length }));
      return layOut(question, texts, [group], letters)[0]!.asks;
    };
    expect(asks("abcd?", "abcd?", "abcd.", "xyz?")).toEqual([true, false, false]);
    expect(asks("abcd", "xyz", "abcd?")).toEqual([false, true]);
    // Three tokens in five: a, b, c of five, not two of five.
    expect([asks("abcd?", "abcxy?"), asks("abcd?", "abxyz?")]).toEqual([[true], [false]]);
    // As a cell of a record ends.
    expect(asks("abcd?", "abcd?;", "abcd;")).toEqual([true, false]);
  });

  it("offers no sequence for no text", () => {
    expect(layOut("q", [""], [[{ evidence: 0, start: 0, end: 0 }]], letters)).toEqual([]);
    expect(layOut("q", [], [], letters)).toEqual([]);
  });
});
