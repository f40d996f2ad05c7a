import { expectClose } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { readingCorpus } from "./corpus.ts";
import type { SpanRecord } from "./span-record.ts";

const record = (id: string, text: string, group: string): SpanRecord => {
  return { id, question: `${id}?`, text, answer: { start: 0, end: 1 }, group };
};
const corpus = readingCorpus([
  record("a", "The red fox.", "animals"),
  record("b", "The owl", "animals"),
  record("c", "The red fox.", "animals"),
  record("d", "The sea", "places"),
]);

describe("readingCorpus", () => {
  it("knows the different texts of a group in the order of the records, and the questions about each", () => {
    expect(corpus.texts("animals")).toEqual(["The red fox.", "The owl"]);
    expect(corpus.texts("places")).toEqual(["The sea"]);
    expect(corpus.questions("The red fox.").map(({ id }) => id)).toEqual(["a", "c"]);
    expect([corpus.texts("nothing"), corpus.questions("nothing")]).toEqual([[], []]);
  });

  it("says which share of the question's words a text has, rare ones counting more", () => {
    // Of three texts, all have "the", one has "fox", none "blue".
    const [the, fox, blue] = [Math.log(1 + 3 / 4), Math.log(1 + 3 / 2), Math.log(1 + 3 / 1)];
    const overlap = corpus.overlap("The blue FOX, the fox!");
    expectClose(overlap("The red fox."), (the + fox) / (the + fox + blue));
    expectClose(overlap("The owl"), the / (the + fox + blue));
    expect(overlap("")).toBe(0);
  });

  it("reads texts that are in no record too, and 0 for a question without words", () => {
    const overlap = corpus.overlap("owl ocelot");
    expect(overlap("an ocelot and an owl")).toBe(1);
    expect(overlap("an owl")).toBeGreaterThan(0);
    expect(overlap("an owl")).toBeLessThan(overlap("an ocelot"));
    expect(corpus.overlap("?!")("The owl")).toBe(0);
  });
});
