import { describe, expect, it } from "vitest";
import { wholeWords } from "./words.ts";

const widened = (text: string, part: string) => {
  const { start, end } = wholeWords(text, text.indexOf(part), text.indexOf(part) + part.length);
  return text.slice(start, end);
};

describe("wholeWords", () => {
  it("widens a part of a word to the word", () => {
    expect(widened("a waterproof jacket", "proof")).toBe("waterproof");
    expect(widened("Zürich café", "af")).toBe("café");
  });

  it("leaves whole words and punctuation as they are", () => {
    expect(widened("costs 129.00; sizes", "129.00")).toBe("129.00");
    expect(widened("(yes)", "yes")).toBe("yes");
  });

  it("keeps a number whole over its decimal point and thousands", () => {
    expect(widened("costs 194.00 euros", "194")).toBe("194.00");
    expect(widened("costs 1,250.50 euros", "250")).toBe("1,250.50");
    expect(widened("in 1962. It", "1962")).toBe("1962");
    expect(widened("4.3 kg", "3")).toBe("4.3");
  });

  it("never cuts a surrogate pair", () => {
    expect(widened("𝔘𝔫𝔦 x", "𝔫")).toBe("𝔘𝔫𝔦");
    expect(widened("🚀go", "go")).toBe("go");
  });

  it("stops at the ends of the text", () => {
    expect(widened("tent", "en")).toBe("tent");
    expect(wholeWords("", 0, 0)).toEqual({ start: 0, end: 0 });
  });
});
