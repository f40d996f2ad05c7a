import { describe, expect, it } from "vitest";
import { clauseStarts } from "./clauses.ts";

const clauses = (text: string) =>
  clauseStarts(text).map((start, index, all) => text.slice(start, all[index + 1]).trim());

describe("clauseStarts", () => {
  it("parts sentences, and leaves numbers and initials whole", () => {
    expect(clauses("It costs 7.50 euros. Delivery takes 3 days! Ask J. R. Smith.")).toEqual([
      "It costs 7.50 euros.",
      "Delivery takes 3 days!",
      "Ask J. R. Smith.",
    ]);
    expect(clauses("It opened in 1962. The mayor came.")).toEqual(["It opened in 1962.", "The mayor came."]);
    expect(clauses("made in the U.S. Army style")).toEqual(["made in the U.S. Army style"]);
  });

  it("parts the cells of a record", () => {
    expect(clauses("Product: Wren jacket; Price (EUR): 129.00; Sizes: S, M; L")).toEqual([
      "Product: Wren jacket;",
      "Price (EUR): 129.00;",
      "Sizes: S, M; L",
    ]);
    expect(clauses("product_id: 7; question: Is it dry?; answer: Yes, for a night; two at most")).toEqual([
      "product_id: 7;",
      "question: Is it dry?;",
      "answer: Yes, for a night; two at most",
    ]);
  });

  it("parts paragraphs, list items, headings and table cells, and not the lines of one paragraph", () => {
    expect(clauses("one\ntwo\n\nthree\n- four\n- five\n# six\n1. seven")).toEqual([
      "one\ntwo",
      "three",
      "- four",
      "- five",
      "# six",
      "1. seven",
    ]);
    expect(clauses("| Norway | 38.00 euros |")).toEqual(["| Norway |", "38.00 euros |"]);
  });

  it("is one clause for a text without boundaries, the empty one included", () => {
    expect(clauseStarts("")).toEqual([0]);
    expect(clauseStarts("no boundary here")).toEqual([0]);
  });
});
