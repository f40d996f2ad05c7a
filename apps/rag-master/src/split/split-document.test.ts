import type { Document, Passage } from "@clara/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { markdownText } from "../loaders/markdown.ts";
import type { Block } from "../loaders/types.ts";
import { splitDocument } from "./split-document.ts";

/** Words and marks, as a tokenizer sees them. */
const tokens = (text: string): number => text.match(/\p{L}+|\p{N}|[^\s\p{L}\p{N}]/gu)?.length ?? 0;

const documentOf = (text: string): Document => ({
  id: "a.md",
  title: "Title",
  text,
  hash: "",
  metadata: { type: "x" },
});

function splitMarkdown(text: string, options: { maxTokens?: number; overlap?: number } = {}): Passage[] {
  return splitDocument(documentOf(text), markdownText(text).blocks, { tokens, ...options });
}

const textsOf = (passages: readonly Passage[]): string[] => passages.map(({ text }) => text);
const words = (n: number, word = "word"): string => Array.from({ length: n }, () => word).join(" ");

describe("splitDocument", () => {
  it("returns slices with ids, titles and lines", () => {
    const text = `# Saws\n\n${words(50)}\n\n## Care\n\n${words(50)}\n`;
    const [first, second] = splitMarkdown(text);
    expect(first).toMatchObject({
      id: "a.md#0",
      document: "a.md",
      title: "Title > Saws",
      start: 0,
      metadata: { type: "x", line: 1 },
    });
    expect(second).toMatchObject({ id: "a.md#1", title: "Title > Saws > Care", metadata: { line: 5 } });
    expect(second!.text).toBe(`## Care\n\n${words(50)}`);
  });

  it("does not repeat the document's title when a heading is the same", () => {
    expect(splitMarkdown("# title\n\ntext")[0]!.title).toBe("Title");
  });

  it("breaks between paragraphs, and divides only one that is too long", () => {
    const paragraph = (n: number): string => `${words(n - 1)}.`;
    const text = [paragraph(60), paragraph(60), paragraph(60)].join("\n\n");
    expect(textsOf(splitMarkdown(text, { maxTokens: 130 }))).toEqual([
      `${paragraph(60)}\n\n${paragraph(60)}`,
      paragraph(60),
    ]);
    const sentences = "One two three. Four five six. Seven eight nine.";
    expect(textsOf(splitMarkdown(sentences, { maxTokens: 8 }))).toEqual([
      "One two three. Four five six.",
      "Seven eight nine.",
    ]);
    expect(textsOf(splitMarkdown("a b c d e f g", { maxTokens: 3 }))).toEqual(["a b c", "d e f", "g"]);
  });

  it("does not leave a heading alone when the paragraph below is long", () => {
    const text = `# H\n\n${"One two three four. ".repeat(10)}`;
    expect(splitMarkdown(text, { maxTokens: 50 })[0]!.text).toMatch(/^# H\n\nOne two/);
  });

  it("joins tiny sections under the same parent and no others", () => {
    const text = "# P\n\nintro\n\n## Brand\nA\n\n## Kind\nB\n\n# Q\n\nother\n";
    const passages = splitMarkdown(text);
    expect(textsOf(passages)).toEqual(["# P\n\nintro\n\n## Brand\nA\n\n## Kind\nB", "# Q\n\nother"]);
    expect(passages.map(({ title }) => title)).toEqual(["Title > P", "Title > Q"]);
    expect(splitMarkdown(`## A\n${words(50)}\n\n## B\nb\n`)).toHaveLength(2);
  });

  it("never cuts or joins records, however long or short", () => {
    const text = `a: 1\n${words(500)}\n\nb: 2`;
    const ends = [4, text.length - 6, text.length];
    const blocks: Block[] = ends.map((end, i) => ({
      start: i === 0 ? 0 : ends[i - 1]!,
      end,
      heading: [],
      kind: "record",
    }));
    expect(textsOf(splitDocument(documentOf(text), blocks, { tokens }))).toEqual(["a: 1", words(500), "b: 2"]);
  });

  it("keeps code whole when it fits, else cuts it between lines", () => {
    const code = "```\na b c\n\nd e f\n```";
    expect(textsOf(splitMarkdown(`one two.\n\n${code}`, { maxTokens: 13 }))).toEqual(["one two.", code]);
    expect(textsOf(splitMarkdown(code, { maxTokens: 6 }))).toEqual(["```\na b c", "d e f\n```"]);
  });

  it("cuts a word that is longer than a passage between characters, not inside one", () => {
    const count = (text: string): number => text.length;
    const text = "😀".repeat(9);
    const passages = splitDocument(documentOf(text), [{ start: 0, end: 18, heading: [], kind: "prose" }], {
      tokens: count,
      maxTokens: 5,
    });
    expect(passages.every((passage) => /^(😀)+$/u.test(passage.text) && passage.text.length <= 5)).toBe(true);
    expect(textsOf(passages).join("")).toBe(text);
  });

  it("repeats the end of the passage before when asked to", () => {
    const text = "One two three. Four five six. Seven eight nine. Ten eleven twelve.";
    expect(textsOf(splitMarkdown(text, { maxTokens: 8, overlap: 4 }))).toEqual([
      "One two three. Four five six.",
      "Four five six. Seven eight nine.",
      "Seven eight nine. Ten eleven twelve.",
    ]);
  });

  it("drops blocks without text", () => {
    expect(splitDocument(documentOf(" \n\n "), [{ start: 0, end: 4, heading: [], kind: "prose" }], { tokens })).toEqual(
      [],
    );
    expect(splitDocument(documentOf("  "), [{ start: 0, end: 2, heading: [], kind: "record" }], { tokens })).toEqual(
      [],
    );
  });

  it("refuses sizes that cannot be", () => {
    expect(() => splitMarkdown("a", { maxTokens: 0 })).toThrow("maxTokens must be at least 1, got 0");
    expect(() => splitMarkdown("a", { maxTokens: 5, overlap: 5 })).toThrow(
      "overlap must be at least 0 and below maxTokens (5)",
    );
    expect(() => splitMarkdown("a", { maxTokens: Number.NaN })).toThrow("got NaN");
  });

  it("counts a long text a few times, in small parts", () => {
    const sentence = "The quick brown fox jumps over the lazy dog. ";
    for (const text of [
      sentence.repeat(6000),
      "word ".repeat(50_000),
      "aGVsbG8".repeat(40_000),
      `${sentence}\n\n`.repeat(6000),
    ]) {
      let counted = 0;
      let longest = 0;
      const count = (part: string): number => {
        counted += part.length;
        longest = Math.max(longest, part.length);
        return tokens(part);
      };
      splitDocument(documentOf(text), markdownText(text).blocks, { tokens: count });
      expect(counted).toBeLessThan(6 * text.length);
      expect(longest).toBeLessThanOrEqual(4000);
    }
  });
});

const atom = fc.oneof(
  fc.constantFrom(
    "# A\n",
    "## B\n\n",
    "### C\n",
    "\n\n",
    "\r\n",
    "```\n",
    "| a | b |\n|---|---|\n",
    "- ",
    ". ",
    " ",
    "\u00a0",
  ),
  fc.constantFrom("word ", "e.g. ", "1.5 ", "Sentence end. ", "测试句子。", "😀", "x".repeat(40)),
  fc.string({ maxLength: 12, unit: "binary" }),
);
const markdown = fc.array(atom, { maxLength: 120 }).map((atoms) => atoms.join(""));

describe("passages of any text", () => {
  it("are exact slices, in order, apart, and at most maxTokens; together they are all of the text", () => {
    fc.assert(
      fc.property(markdown, fc.integer({ min: 1, max: 60 }), (text, maxTokens) => {
        const passages = splitMarkdown(text, { maxTokens });
        let end = 0;
        let covered = "";
        for (const [i, passage] of passages.entries()) {
          expect(passage.id).toBe(`a.md#${i}`);
          expect(passage.text).toBe(text.slice(passage.start, passage.end));
          expect(passage.text).toBe(passage.text.trim());
          expect(passage.start).toBeGreaterThanOrEqual(end);
          expect(tokens(passage.text)).toBeLessThanOrEqual(maxTokens);
          covered += passage.text;
          end = passage.end;
        }
        expect(covered.replace(/\s/g, "")).toBe(text.replace(/\s/g, ""));
      }),
      { numRuns: 500 },
    );
  });

  it("cover all of the text in order when they overlap", () => {
    fc.assert(
      fc.property(
        markdown,
        fc.integer({ min: 2, max: 40 }),
        fc.integer({ min: 0, max: 39 }),
        (text, maxTokens, overlap) => {
          const passages = splitMarkdown(text, { maxTokens, overlap: Math.min(overlap, maxTokens - 1) });
          let end = 0;
          for (const passage of passages) {
            expect(text.slice(end, passage.start).trim()).toBe("");
            expect(passage.end).toBeGreaterThan(end);
            expect(tokens(passage.text)).toBeLessThanOrEqual(maxTokens);
            end = passage.end;
          }
          expect(text.slice(end).trim()).toBe("");
        },
      ),
      { numRuns: 300 },
    );
  });
});
