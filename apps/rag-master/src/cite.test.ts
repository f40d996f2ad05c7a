import type { Document, Passage, Quote } from "@clara/core";
import { describe, expect, it } from "vitest";
import { cite, clauseAround } from "./cite.ts";

const text = "# Tents\n\nThe Skarrow weighs 2.4 kg. It sleeps two.\nPoles are aluminium.\n";
const document: Document = { id: "tents.md", title: "Tents", text, hash: "0", metadata: {} };

/** The document from the first paragraph on. */
const passage: Passage = {
  id: "tents.md#1",
  document: "tents.md",
  title: "Tents",
  text: text.slice(9),
  start: 9,
  end: text.length,
  metadata: {},
};

function quoteOf(words: string, at: Passage = passage): Quote {
  const start = at.text.indexOf(words);
  return { evidence: at.id, text: words, start, end: start + words.length };
}

/** The clause around the first place of some words, as text. */
function clause(whole: string, words: string): string {
  const at = whole.indexOf(words);
  const { start, end } = clauseAround(whole, at, at + words.length);
  return whole.slice(start, end);
}

describe("cite", () => {
  it("gives the sentence around a quote, with offsets into the document and not the passage", () => {
    const citation = cite(quoteOf("2.4 kg"), passage, document);
    expect(citation).toEqual({
      passage: "tents.md#1",
      document: "tents.md",
      title: "Tents",
      quote: "The Skarrow weighs 2.4 kg.",
      start: 9,
      end: 35,
      line: 3,
      verified: true,
    });
    expect(text.slice(citation.start, citation.end)).toBe(citation.quote);
  });

  it("does not verify text that the document does not have", () => {
    const invented: Quote = { evidence: passage.id, text: "1.9 kg", start: 19, end: 25 };
    expect(cite(invented, passage, document)).toMatchObject({ quote: "1.9 kg", verified: false });
  });

  it("does not verify a quote whose offset has slipped", () => {
    const { text: words, start, end, evidence } = quoteOf("2.4 kg");
    for (const slip of [-1, 1, -start - 1, -start - passage.start - 40, 1000]) {
      const slipped = { evidence, text: words, start: start + slip, end: end + slip };
      expect(cite(slipped, passage, document), `slipped by ${slip}`).toMatchObject({ quote: words, verified: false });
    }
    expect(cite({ ...quoteOf("2.4 kg"), end: end + 5 }, passage, document).verified).toBe(false);
  });

  it("does not verify an empty quote", () => {
    expect(cite({ evidence: passage.id, text: "", start: 3, end: 3 }, passage, document).verified).toBe(false);
  });

  it("does not verify words of the document that are not in the passage", () => {
    const outside: Quote = { evidence: passage.id, text: "Tents", start: -7, end: -2 };
    expect(text.slice(passage.start + outside.start, passage.start + outside.end)).toBe("Tents");
    expect(cite(outside, passage, document).verified).toBe(false);
  });

  it("does not verify a quote against another document with the same words", () => {
    expect(cite(quoteOf("2.4 kg"), passage, { ...document, id: "copy.md" }).verified).toBe(false);
  });

  it("counts lines from 1, whatever ends them", () => {
    for (const [end, line] of [
      ["\n", 3],
      ["\r\n", 3],
      ["\r", 3],
    ] as const) {
      const other = { ...document, text: text.replaceAll("\n", end) };
      const start = 7 + 2 * end.length;
      const slice = { ...passage, text: other.text.slice(start), start, end: other.text.length };
      expect(cite(quoteOf("2.4 kg", slice), slice, other)).toMatchObject({
        quote: "The Skarrow weighs 2.4 kg.",
        line,
        verified: true,
      });
    }
  });

  it("keeps characters beyond 16 bits whole", () => {
    const emoji = "🏕️ camps. The 🏔️ hut has 𝟚𝟘 beds 🛏️ for guests.";
    const other = { ...document, text: emoji };
    const slice = { ...passage, text: emoji, start: 0, end: emoji.length };
    const citation = cite(quoteOf("𝟚𝟘 beds", slice), slice, other);
    expect(citation).toMatchObject({ quote: "The 🏔️ hut has 𝟚𝟘 beds 🛏️ for guests.", verified: true });
    expect(citation.quote.isWellFormed()).toBe(true);
  });
});

describe("clauseAround", () => {
  it("stops at sentences, and not at the dot of a number", () => {
    expect(clause("One. It costs 12.50 euros today. Three.", "12.50")).toBe("It costs 12.50 euros today.");
  });

  it("stops at line ends, so that a row of a table is quoted alone", () => {
    const rows = "Item: tent; Price: 189.00\nItem: stove; Price: 45.00\nItem: cup; Price: 9.00";
    expect(clause(rows, "45.00")).toBe("Item: stove; Price: 45.00");
    expect(clause(rows, "tent")).toBe("Item: tent; Price: 189.00");
    expect(clause(rows, "9.00\nItem: stove")).toContain("9.00\nItem: stove");
  });

  it("holds an answer that runs over two sentences", () => {
    expect(clause("Zero. First one. Second one. Third.", "one. Second")).toBe("First one. Second one.");
  });

  it("cuts a long sentence at words around the answer", () => {
    const long = `Start ${"word ".repeat(200)}here is the answer ${"other ".repeat(200)}end.`;
    const cut = clause(long, "the answer");
    expect(cut.length).toBeLessThanOrEqual(280);
    expect(cut).toMatch(/^(word )+here is the answer( other)+$/);
  });

  it("keeps an answer that is longer than the longest quote whole", () => {
    const answer = "very ".repeat(100).trim();
    expect(clause(`It is ${answer} long.`, answer)).toBe(answer);
  });

  it("does not cut a long text without spaces inside a character", () => {
    const long = `${"😀".repeat(300)}答え${"😀".repeat(300)}`;
    expect(clause(long, "答え").isWellFormed()).toBe(true);
    expect(clause(long, "答え")).toContain("答え");
  });

  it("takes the whole text when it is one sentence", () => {
    expect(clause("two years", "two years")).toBe("two years");
    expect(clauseAround("\nx", 0, 2)).toEqual({ start: 0, end: 2 });
  });
});
