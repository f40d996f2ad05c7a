import { ClaraError } from "@clara/core";
import { describe, expect, it } from "vitest";
import { createTerminal, type TerminalOptions } from "./index.ts";

/** A terminal that keeps what was written, and a clock that stands until it is moved. */
function recorded(options: Partial<TerminalOptions> & { isTTY?: boolean; columns?: number } = {}) {
  const { isTTY = false, columns = 80, ...rest } = options;
  const written = { out: "", err: "", clock: 0 };
  const to = (key: "out" | "err") => (text: string) => {
    written[key] += text;
  };
  const stdout = { isTTY, columns, write: to("out") };
  const stderr = { isTTY, columns, write: to("err") };
  const terminal = createTerminal({ stdout, stderr, now: () => written.clock, ...rest });
  return { terminal, written };
}

/** The lines that a reader of the terminal is left with. */
function screen(text: string): string[] {
  const lines = [""];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the bar clears its line with one
  for (const part of text.split(/(\n|\r|\x1b\[2K)/)) {
    if (part === "\n") lines.push("");
    else if (part === "\x1b[2K") lines[lines.length - 1] = "";
    else if (part !== "\r") lines[lines.length - 1] += part;
  }
  return lines;
}

describe("createTerminal", () => {
  it("keeps results on stdout and everything else on stderr", () => {
    const { terminal, written } = recorded();
    terminal.print("answer");
    terminal.stream("pie");
    terminal.stream("ce\x1b[2J");
    terminal.info("3 documents");
    terminal.warn("notes.md is empty");
    terminal.error(new ClaraError("io", "disk full"));
    expect(written.out).toBe("answer\npiece\\x1b[2J");
    expect(written.err).toBe("3 documents\nwarning: notes.md is empty\nerror: disk full\n");
  });

  it("with json writes exactly one JSON value on stdout", () => {
    const { terminal, written } = recorded({ json: true, isTTY: true });
    terminal.print("answer");
    terminal.stream("piece");
    terminal.printJson({ answer: "a\x1bb" });
    expect(written.out).toBe('{"answer":"a\\u001bb"}\n');
    expect(() => terminal.printJson(1)).toThrow("this is the second");
    expect(terminal.interactive).toBe(false);
    expect(recorded().terminal.interactive).toBe(false);
    expect(recorded({ isTTY: true }).terminal.interactive).toBe(true);
  });

  it("when quiet says errors only", () => {
    const { terminal, written } = recorded({ quiet: true, isTTY: true, color: false });
    terminal.info("3 documents");
    terminal.warn("careful");
    const progress = terminal.progress("indexing", 3);
    progress.update(3);
    progress.stop();
    terminal.print("answer");
    terminal.error(new ClaraError("io", "disk full"));
    expect(written.err).toBe("error: disk full\n");
    expect(written.out).toBe("answer\n");
  });

  it("colours a terminal only, and none with NO_COLOR", () => {
    const colored = (options: object) => {
      const { terminal, written } = recorded(options);
      terminal.warn("x");
      return written.err.includes("\x1b[") && terminal.colors.isColorSupported;
    };
    expect(colored({ isTTY: true })).toBe(true);
    expect(colored({ isTTY: true, color: false })).toBe(false);
    expect(colored({ isTTY: false })).toBe(false);
  });
});

describe("progress without a terminal", () => {
  it("is a line in ten seconds at most, the first after one, and the last", () => {
    const { terminal, written } = recorded();
    const progress = terminal.progress("indexing", 400);
    for (let done = 1; done <= 300; done++) {
      written.clock += 100;
      progress.update(done, `note-${done}\x1b.md`);
    }
    written.clock += 500;
    progress.stop();
    progress.stop();
    progress.update(301);
    expect(written.err).toBe([10, 110, 210, 300].map((done) => `indexing ${done}/400 note-${done}\\x1b.md\n`).join(""));
    expect(written.out).toBe("");
  });

  it("leaves most steps out of a log, where each takes seconds", () => {
    const { terminal, written } = recorded();
    const progress = terminal.progress("training", 5000);
    // Two and a half seconds each.
    for (let step = 1; step <= 17; step++) {
      written.clock += 2500;
      progress.update(step);
    }
    progress.stop();
    expect(written.err).toBe([1, 5, 9, 13, 17].map((step) => `training ${step}/5000\n`).join(""));
  });

  it("has the last line once, also when it has just been written", () => {
    const { terminal, written } = recorded();
    const progress = terminal.progress("indexing", 2);
    written.clock += 10_000;
    progress.update(2);
    progress.stop();
    expect(written.err).toBe("indexing 2/2\n");
  });

  it("is one line for a short job", () => {
    const { terminal, written } = recorded();
    const progress = terminal.progress("indexing", 2);
    progress.update(1);
    progress.update(2);
    progress.stop();
    expect(written.err).toBe("indexing 2/2\n");
  });
});

describe("progress on a terminal", () => {
  it("is a bar that is gone at the end", () => {
    const { terminal, written } = recorded({ isTTY: true, color: false });
    const progress = terminal.progress("indexing", 4);
    expect(screen(written.err)).toEqual([`indexing [${" ".repeat(30)}] 0/4 `]);
    progress.update(2, "a.md");
    progress.stop();
    expect(written.err).toContain(`indexing [${"=".repeat(15)}${" ".repeat(15)}] 2/4 a.md`);
    expect(screen(written.err)).toEqual([""]);
  });

  it("stays below lines that are written meanwhile", () => {
    const { terminal, written } = recorded({ isTTY: true, color: false });
    const progress = terminal.progress("indexing", 4);
    terminal.warn("a.md is empty");
    terminal.info("b.md is large");
    expect(screen(written.err)).toEqual([
      "warning: a.md is empty",
      "b.md is large",
      `indexing [${" ".repeat(30)}] 0/4 `,
    ]);
    progress.stop();
    terminal.info("done");
    expect(screen(written.err).slice(2)).toEqual(["done", ""]);
  });

  it("fits its line, and ends when an error does", () => {
    const { terminal, written } = recorded({ isTTY: true, columns: 40, color: false });
    terminal.progress("indexing", 4);
    expect(screen(written.err)[0]!.length).toBeLessThan(40);
    terminal.error(new ClaraError("io", "disk full"));
    expect(screen(written.err)).toEqual(["error: disk full", ""]);
  });
});
