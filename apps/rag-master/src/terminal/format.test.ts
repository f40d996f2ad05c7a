import { ClaraError } from "@clara/core";
import { createColors } from "picocolors";
import { describe, expect, it } from "vitest";
import { cutMiddle, exitCode, formatCitations, formatError, oneLine, safeText } from "./index.ts";

describe("oneLine and safeText", () => {
  it("write out what a terminal would obey", () => {
    expect(safeText("a\x1b[31mred\x07\x9b2J\x7f")).toBe("a\\x1b[31mred\\x07\\x9b2J\\x7f");
    expect(safeText("\x1b]52;c;cm0gLXJm\x07")).not.toContain("\x1b");
    expect(safeText("over\rwritten\b\b")).toBe("over\\x0dwritten\\x08\\x08");
    expect(safeText("\u202egpj.exe\u2066")).toBe("\\u202egpj.exe\\u2066");
  });

  it("leave letters, lines and tabs alone", () => {
    expect(safeText("Größe\t5 €\r\nשלום 👍\n")).toBe("Größe\t5 €\nשלום 👍\n");
  });

  it("make one line of several", () => {
    expect(oneLine("a\r\n\tb\u2028c\x1b[2J")).toBe("a b c\\x1b[2J");
  });

  it("have no character left, of the first 0x3000, that drives a terminal", () => {
    for (let code = 0; code < 0x3000; code++) {
      const shown = oneLine(`x${String.fromCharCode(code)}x`);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
      expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/);
    }
  });
});

describe("cutMiddle", () => {
  it("leaves the middle out of long texts only", () => {
    expect(cutMiddle("0123456789", 10)).toBe("0123456789");
    expect(cutMiddle("0123456789A", 10)).toBe("0123 … 89A");
  });

  it("cuts no character in two", () => {
    const families = "👨‍👩‍👧".repeat(20);
    expect(cutMiddle(families, 9)).toBe(`${"👨‍👩‍👧".repeat(3)} … ${"👨‍👩‍👧".repeat(3)}`);
  });
});

describe("formatCitations", () => {
  it("numbers them from 1 and names document and line", () => {
    expect(
      formatCitations([
        { document: "returns.md", line: 12, quote: "Unworn jackets can be returned\n  within 30 days." },
        { document: "shop/prices.csv", line: 3, quote: "249 EUR", verified: false },
      ]),
    ).toBe(
      '[1] returns.md:12 "Unworn jackets can be returned within 30 days."\n[2] shop/prices.csv:3 "249 EUR" (not verified)',
    );
    expect(formatCitations([])).toBe("");
  });

  it("lets neither a quote nor a path drive the terminal", () => {
    const shown = formatCitations([{ document: "a\x1b]0;title\x07.md", line: 1, quote: "x\x1b[2Jy\u202ez" }]);
    expect(shown).toBe('[1] a\\x1b]0;title\\x07.md:1 "x\\x1b[2Jy\\u202ez"');
  });

  it("cuts a long quote in the middle", () => {
    const shown = formatCitations([{ document: "a.md", line: 1, quote: `first ${"word ".repeat(100)}last` }]);
    expect(shown).toMatch(/^\[1\] a\.md:1 "first .* … .* last"$/);
    expect(shown.length).toBeLessThan(180);
  });

  it("colours only when told to", () => {
    expect(formatCitations([{ document: "a.md", line: 1, quote: "q" }], createColors(true))).toContain("\x1b[");
  });
});

describe("formatError", () => {
  it("says what a ClaraError says, and a hint where there is one", () => {
    expect(formatError(new ClaraError("input", "a.pdf: is encrypted"))).toBe("error: a.pdf: is encrypted");
    expect(formatError(new ClaraError("config", "c.yaml:1:1: first\nc.yaml:2:1: second"))).toBe(
      'error: c.yaml:1:1: first\n       c.yaml:2:1: second\nhint:  the command "config check" shows every setting and where it came from',
    );
  });

  it("says one line of an error that was not foreseen, and how to see more", () => {
    expect(formatError(new TypeError("x is not a function\n    at y"))).toBe(
      "error: TypeError: x is not a function\nhint:  run again with --debug to see where this came from",
    );
    expect(formatError("text")).toContain("error: text");
  });

  it("adds stacks and causes with debug, each once", () => {
    const root = new Error("disk full");
    const error = new ClaraError("io", "notes.md: cannot be written", { cause: root });
    root.cause = error;
    const shown = formatError(error, { debug: true });
    expect(shown).toContain("error: notes.md: cannot be written\nClaraError: notes.md");
    expect(shown).toContain("caused by:\nError: disk full");
    expect(shown.match(/caused by:/g)).toHaveLength(2);
    expect(formatError(new AggregateError([new Error("one"), new Error("two")]), { debug: true })).toMatch(
      /one[\s\S]*two/,
    );
  });

  it("lets a message not drive the terminal, in debug neither", () => {
    const error = new ClaraError("input", "\x1b[2J.md: empty", { cause: new Error("\x9b31m") });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
    expect(formatError(error, { debug: true })).not.toMatch(/[\x1b\x9b]/);
  });
});

describe("exitCode", () => {
  it("is 2 for wrong usage and configuration, 1 for failures", () => {
    expect(exitCode(new ClaraError("config", ""))).toBe(2);
    expect(exitCode(new ClaraError("option", ""))).toBe(2);
    expect(exitCode(new ClaraError("io", ""))).toBe(1);
    expect(exitCode(new Error("x"))).toBe(1);
    expect(exitCode(undefined)).toBe(1);
  });

  it("knows what commander throws: 2, and 0 for its help", () => {
    const commander = (code: string, exit: number) => Object.assign(new Error("x"), { code, exitCode: exit });
    expect(exitCode(commander("commander.unknownOption", 1))).toBe(2);
    expect(exitCode(commander("commander.helpDisplayed", 0))).toBe(0);
  });
});
