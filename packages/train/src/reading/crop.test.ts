import { describe, expect, it } from "vitest";
import { random } from "../random.ts";
import { crop, type Range, wordRanges } from "./crop.ts";

const text = " one two  three four\nfive six seven ";
const inside: Range = { start: text.indexOf("three"), end: text.indexOf("four") + 4 };
const cut = (count: number, seed: number, range?: Range): string => {
  const { start, end } = crop(text, count, random(seed), range);
  return text.slice(start, end);
};
const all = (count: number, range?: Range): Set<string> =>
  new Set(Array.from({ length: 200 }, (_, seed) => cut(count, seed, range)));

describe("wordRanges", () => {
  it("are what is between white space", () => {
    const words = wordRanges(text).map(({ start, end }) => text.slice(start, end));
    expect(words).toEqual(["one", "two", "three", "four", "five", "six", "seven"]);
    expect(wordRanges(" \n")).toEqual([]);
  });
});

describe("crop", () => {
  it("takes any run of as many whole words", () => {
    expect(all(5)).toEqual(
      new Set(["one two  three four\nfive", "two  three four\nfive six", "three four\nfive six seven"]),
    );
  });

  it("takes any run that holds the range", () => {
    expect(all(3, inside)).toEqual(new Set(["two  three four", "three four\nfive"]));
    const last = { start: text.indexOf("seven"), end: text.indexOf("seven") + 5 };
    expect(all(2, last)).toEqual(new Set(["six seven"]));
  });

  it("keeps words whole that the range begins or ends in", () => {
    expect(all(1, { start: inside.start - 2, end: inside.start + 5 })).toEqual(new Set(["three"]));
    expect(all(2, { start: inside.start + 2, end: inside.end - 2 })).toEqual(new Set(["three four"]));
  });

  it("keeps a range whole that is longer than the run", () => {
    const long = { start: text.indexOf("two"), end: text.indexOf("five") + 4 };
    expect(all(2, long)).toEqual(new Set(["two  three four\nfive"]));
  });

  it("gives all of a text that has no more words than asked for, even none", () => {
    expect(crop(text, 7, random(1), inside)).toEqual({ start: 0, end: text.length });
    expect(crop("", 3, random(1))).toEqual({ start: 0, end: 0 });
  });
});
