import { describe, expect, it } from "vitest";
import { markdownText } from "./markdown.ts";

/** Each block as its headings and text. */
function blocksOf(text: string): [string, string][] {
  return markdownText(text).blocks.map(({ heading, start, end }) => [
    heading.join(" > "),
    text.slice(start, end).trim(),
  ]);
}

describe("markdownText", () => {
  it("keeps the file as it is, line ends too", () => {
    const text = "# A\r\n\r\nb  \r\nc\r\n";
    expect(markdownText(text).text).toBe(text);
    expect(blocksOf(text)).toEqual([["A", "# A\r\n\r\nb  \r\nc"]]);
  });

  it("tracks headings of both kinds", () => {
    expect(blocksOf("intro\n\nOne\n===\na\n\nTwo\n---\nb\n\n### Three ###\nc\n\n## Four\nd\n")).toEqual([
      ["", "intro"],
      ["One", "One\n===\na"],
      ["One > Two", "Two\n---\nb"],
      ["One > Two > Three", "### Three ###\nc"],
      ["One > Four", "## Four\nd"],
    ]);
  });

  it("moves a heading without text into its first subsection, and keeps one without anything", () => {
    expect(blocksOf("# A\n\n## B\n\ntext\n\n## C\n\n## D\n")).toEqual([
      ["A > B", "# A\n\n## B\n\ntext"],
      ["A > C", "## C"],
      ["A > D", "## D"],
    ]);
  });

  it("takes a heading inside a code fence for code, and keeps the fence whole", () => {
    const text = "# A\nrun:\n```sh\n# not a heading\n~~~\n```\nafter\n";
    expect(blocksOf(text)).toEqual([
      ["A", "# A\nrun:"],
      ["A", "```sh\n# not a heading\n~~~\n```"],
      ["A", "after"],
    ]);
    expect(markdownText(text).blocks.map(({ keepWhole }) => keepWhole ?? false)).toEqual([false, true, false]);
  });

  it("reads a fence that is never closed to the end", () => {
    expect(blocksOf("a\n\n```\n# b\n")).toEqual([
      ["", "a"],
      ["", "```\n# b"],
    ]);
  });

  it("keeps a table whole", () => {
    expect(blocksOf("a\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\nb")).toEqual([
      ["", "a"],
      ["", "| x | y |\n|---|---|\n| 1 | 2 |"],
      ["", "b"],
    ]);
  });

  it("does not take rules, lists and front matter for headings", () => {
    expect(blocksOf("---\ntags: x\n---\na\n\n---\n\n- b\n---\nc")).toEqual([
      ["", "---\ntags: x\n---"],
      ["", "a\n\n---\n\n- b\n---\nc"],
    ]);
  });

  it("takes the title from front matter, else the first heading of level 1, else the first", () => {
    expect(markdownText('---\ntitle: "My title"\n---\n# A\n').title).toBe("My title");
    expect(markdownText("## B\n\n# A\n").title).toBe("A");
    expect(markdownText("## [`B`](x.md) and **C** {#id}\n").title).toBe("B and C");
    expect(markdownText("text").title).toBeUndefined();
  });
});
