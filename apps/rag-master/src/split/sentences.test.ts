import { describe, expect, it } from "vitest";
import { sentences } from "./sentences.ts";

const split = (text: string): string[] =>
  sentences(text, 0, text.length).map(({ start, end }) => text.slice(start, end).trim());

describe("sentences", () => {
  it("ends sentences where they end", () => {
    expect(split("One. Two! Three? Four")).toEqual(["One.", "Two!", "Three?", "Four"]);
  });

  it("does not end one after an abbreviation or inside a number", () => {
    const text = "Dr. Smith paid 1.50 EUR, e.g. for Fig. 3. He left.";
    expect(split(text)).toEqual(["Dr. Smith paid 1.50 EUR, e.g. for Fig. 3.", "He left."]);
  });

  it("joins the lines an editor wrapped, and keeps list items apart", () => {
    expect(split("One long\nsentence. Two\r\nmore.\n- a\n- b\n1. c")).toEqual([
      "One long\nsentence.",
      "Two\r\nmore.",
      "- a",
      "- b",
      "1. c",
    ]);
  });

  it("returns spans that together are the text", () => {
    const text = "  A b. \n\n- c\nD e.g. f?  ";
    expect(
      sentences(text, 1, text.length)
        .map(({ start, end }) => text.slice(start, end))
        .join(""),
    ).toBe(text.slice(1));
  });
});
