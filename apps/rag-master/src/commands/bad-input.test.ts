import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ran, type RunOptions, runCommand, runHere } from "../testing/run-command.ts";

let cwd = "";
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "clara-bad-"));
  write("docs/tent.md", "# Skarrow tent\n\nThe Skarrow tent weighs 2.4 kg.\n");
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

function write(name: string, content: string | Uint8Array): void {
  mkdirSync(join(cwd, name, ".."), { recursive: true });
  writeFileSync(join(cwd, name), content);
}

const at = (name: string): string => join(cwd, name);

/** Nothing a user sees may look like a crash. */
function clean(ran: Ran): Ran {
  expect(ran.stderr).not.toMatch(/^ {4}at /m);
  return ran;
}

/** A process of its own, with `cwd` as its folder. */
async function run(args: readonly string[], options: Partial<RunOptions> = {}): Promise<Ran> {
  return clean(await runCommand(args, { cwd, ...options }));
}

/** In this process: paths must be absolute. */
async function here(...args: string[]): Promise<Ran> {
  return clean(await runHere(args, { cwd }));
}

const filesIn = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(join(cwd, folder))
      .filter((name) => name !== "records")
      .map((name) => [name, readFileSync(join(cwd, folder, name), "base64")]),
  );

const weighs = "How much does the Skarrow tent weigh?";

/** A PDF of so many pages, each with one line of text. */
function pdfOf(pages: number): string {
  const objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    `<< /Type /Pages /Count ${pages} /Kids [${Array.from({ length: pages }, (_, n) => `${4 + 2 * n} 0 R`).join(" ")}] >>`,
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
  ];
  for (let n = 1; n <= pages; n++) {
    const stream = `BT /F1 12 Tf 72 700 Td (Page ${n}.) Tj ET`;
    objects.push(
      `<< /Type /Page /Parent 2 0 R /Resources << /Font << /F1 3 0 R >> >> /Contents ${objects.length + 2} 0 R >>`,
      `<< /Length ${stream.length} >>\nstream\n${stream}\nendstream`,
    );
  }
  // Without a table of offsets: readers then look for the objects themselves.
  const body = objects.map((object, n) => `${n + 1} 0 obj\n${object}\nendobj\n`).join("");
  return `%PDF-1.4\n${body}trailer\n<< /Root 1 0 R /Size ${objects.length + 1} >>\n%%EOF\n`;
}

describe("bad files beside a good one", () => {
  let ran: Ran;
  let report: {
    found: number;
    indexed: number;
    skipped: number;
    failed: number;
    passages: number;
    problems: { path: string; reason: string }[];
    notes: { path: string; note: string }[];
  };
  beforeAll(async () => {
    cpSync(join(cwd, "docs"), join(cwd, "messy"), { recursive: true });
    write("messy/binary.md", Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 13));
    write("messy/latin.txt", Buffer.from("Caf\xe9 at the harbour, open daily.", "latin1"));
    write("messy/ragged.csv", "name,price\ntent,189\nstove\ncup,9,blue\n");
    write("messy/broken.json", '{\n  "name": "tent",\n  "price": }\n');
    write("messy/long.pdf", pdfOf(200));
    cpSync(join(import.meta.dirname, "../loaders/fixtures/encrypted.pdf"), join(cwd, "messy/encrypted.pdf"));
    write("messy/empty.md", "");
    mkdirSync(join(cwd, "messy/sub"));
    symlinkSync(join(cwd, "messy"), join(cwd, "messy/sub/loop"), "dir");
    symlinkSync(join(cwd, "nowhere"), join(cwd, "messy/dangling.md"));
    ran = await run(["index", "messy", "--pack", "messy-pack", "--json"]);
    report = JSON.parse(ran.stdout);
  });
  const reason = (path: string) => report.problems.find((problem) => problem.path.endsWith(path))?.reason;
  const note = (path: string) => report.notes.find((each) => each.path === path)?.note;

  it("do not stop the run, are counted, and are each named on stderr", () => {
    expect(ran.code).toBe(0);
    expect(report).toMatchObject({ found: 10, indexed: 4, skipped: 6, failed: 0 });
    for (const { path, reason: why } of report.problems) expect(ran.stderr).toContain(`skipped: ${path}: ${why}`);
  });

  it("a binary file named .md is skipped", () => {
    expect(reason("binary.md")).toBe("looks binary (has NUL bytes)");
  });

  it("invalid UTF-8 is read, with a note", () => {
    expect(note("latin.txt")).toBe("is not UTF-8: read as windows-1252");
  });

  it("a CSV with ragged rows is read, with a note", () => {
    expect(note("ragged.csv")).toMatch(/2 rows have/);
  });

  it("JSON with a syntax error is skipped, with line and column", () => {
    expect(reason("broken.json")).toMatch(/^broken JSON at line 3, column 12/);
  });

  it("a PDF of 200 pages is read", () => {
    expect(report.passages).toBeGreaterThan(5);
    expect(reason("long.pdf")).toBeUndefined();
  });

  it("an encrypted PDF is skipped", () => {
    expect(reason("encrypted.pdf")).toBe("encrypted PDF");
  });

  it("an empty file is skipped", () => {
    expect(reason("empty.md")).toBe("empty");
  });

  it("a loop of links ends, and a link to nothing is named", () => {
    expect(reason(join("sub", "loop"))).toBe("link to a folder that is read already");
    expect(reason("dangling.md")).toBe("link to nothing");
  });
});

describe("bad input", () => {
  it("an empty question", async () => {
    const { code, stdout, stderr } = await here("ask", " ", "--docs", at("docs"));
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^error: the question is empty; ask something/);
  });

  it("a question as long as a command line can be: refused, not cut", async () => {
    // Linux takes 128 KiB in one argument, Windows 32 KiB in all.
    const length = process.platform === "win32" ? 20_000 : 120_000;
    const { code, stdout, stderr } = await run(["ask", "tent ".repeat(length / 5), "--docs", "docs"]);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(`the question is longer than the configuration allows (input: ${length}, needs 4000)`);
  });

  it("an empty folder", async () => {
    mkdirSync(join(cwd, "empty"));
    const { code, stdout, stderr } = await here("ask", weighs, "--docs", at("empty"));
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("empty: nothing to answer from (0 files found");
  });

  it("a path that does not exist", async () => {
    const { code, stderr } = await here("ask", weighs, "--docs", at("doks"));
    expect(code).toBe(1);
    expect(stderr).toMatch(/doks: needs a file or folder, but there is nothing; check the path/);
  });

  it.skipIf(process.getuid?.() === 0)("a folder without permission (needs a user that is not root)", async () => {
    mkdirSync(join(cwd, "locked"));
    chmodSync(join(cwd, "locked"), 0);
    const { code, stderr } = await here("ask", weighs, "--docs", at("locked"));
    expect(code).toBe(1);
    expect(stderr).toMatch(/nothing to answer from .*locked: folder cannot be read: EACCES/);
  });

  it("a pack that is a file, or is not there", async () => {
    write("file", "x");
    const index = await here("index", at("docs"), "--pack", at("file"));
    const ask = await here("ask", weighs, "--pack", at("file"));
    const none = await here("ask", weighs, "--pack", at("none"));
    expect(index).toMatchObject({ code: 1, stderr: expect.stringMatching(/file is a file, .*choose another --pack/) });
    expect(ask).toMatchObject({ code: 1, stderr: expect.stringContaining("file is a file; a pack is a folder") });
    expect(none.code).toBe(1);
    expect(none.stderr).toMatch(/there is no folder .*none; make a pack with `rag-master index <folder> --pack/);
    expect(readFileSync(join(cwd, "file"), "utf8")).toBe("x");
  });
});

describe("a pack that cannot be used", () => {
  beforeAll(() => here("index", at("docs"), "--pack", at("good")));

  /** Runs the command that an error names between backticks. */
  async function adviceOf({ stderr }: Ran): Promise<Ran> {
    const [, command] = /`rag-master ([^`]+)`/.exec(stderr)!;
    return await here(...command!.split(" ").map((word) => (word === "<folder>" ? at("docs") : word)));
  }

  it("made at another rate: the error names the command that helps, and that command does", async () => {
    expect(await here("index", at("docs"), "--pack", at("fine"), "--rate", "4")).toMatchObject({ code: 0 });
    const refused = await here("ask", weighs, "--pack", at("fine"));
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/fine: the pack was made with rate 4; this is rate 16; compress it again/);
    expect(await adviceOf(refused)).toMatchObject({ code: 0, stdout: expect.stringContaining("compressed again") });
    expect(await here("ask", weighs, "--pack", at("fine"))).toMatchObject({ code: 0 });
  });

  it("damaged: the error names the file and the command that helps, and that command does", async () => {
    cpSync(join(cwd, "good"), join(cwd, "damaged"), { recursive: true });
    truncateSync(join(cwd, "damaged/memories-1.bin"), 100);
    const refused = await here("ask", weighs, "--pack", at("damaged"));
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/memories-1\.bin: needs \d+ bytes, got 100; build it again/);
    const rebuilt = await adviceOf(refused);
    expect(rebuilt).toMatchObject({ code: 0, stdout: expect.stringContaining("1 indexed") });
    expect(rebuilt.stderr).toMatch(/note: .*damaged: was damaged and is made anew/);
    expect(await here("ask", weighs, "--pack", at("damaged"))).toMatchObject({ code: 0 });
  });

  it("of an earlier version: the error names the command that helps, and that command does", async () => {
    cpSync(join(cwd, "good"), join(cwd, "old"), { recursive: true });
    const manifest = readFileSync(join(cwd, "old/manifest.json"), "utf8");
    write("old/manifest.json", manifest.replace('"version": 2', '"version": 1'));
    const refused = await here("ask", weighs, "--pack", at("old"));
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/needs version 2, got 1: an earlier program wrote this pack; build it again/);
    const rebuilt = await adviceOf(refused);
    expect(rebuilt).toMatchObject({ code: 0, stdout: expect.stringContaining("1 indexed") });
    expect(rebuilt.stderr).toMatch(/note: .*old: is of an earlier version and is made anew/);
    expect(await here("ask", weighs, "--pack", at("old"))).toMatchObject({ code: 0 });
  });

  it.skipIf(process.platform === "win32")("a full disk leaves the earlier pack as it was (needs bash)", async () => {
    cpSync(join(cwd, "good"), join(cwd, "full"), { recursive: true });
    cpSync(join(cwd, "docs"), join(cwd, "more"), { recursive: true });
    write("more/long.txt", "The tent and the stove are packed in one bag. ".repeat(60));
    const before = filesIn("full");
    const ran = await run(["index", "more", "--pack", "full"], { before: "ulimit -f 1" });
    expect(ran).toMatchObject({ code: 1, stdout: "" });
    expect(ran.stderr).toMatch(/error: writePack: full: .*the pack is as it was before; make room/);
    expect(filesIn("full")).toEqual(before);
    expect(await here("index", at("more"), "--pack", at("full"))).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("1 indexed + 1 unchanged"),
    });
  });

  it.skipIf(process.platform === "win32")("Ctrl-C while indexing leaves the earlier pack as it was", async () => {
    cpSync(join(cwd, "good"), join(cwd, "stopped"), { recursive: true });
    cpSync(join(cwd, "docs"), join(cwd, "many"), { recursive: true });
    for (let n = 0; n < 6; n++)
      write(`many/${n}.txt`, `File ${n}. ${"A tent is a room with a thin wall. ".repeat(40)}`);
    const before = filesIn("stopped");
    let sent = false;
    const ran = await run(["index", "many", "--pack", "stopped"], {
      onStderr: (stderr, kill) => {
        if (!sent && stderr.includes("reading files")) kill("SIGINT");
        sent ||= stderr.includes("reading files");
      },
    });
    expect(ran).toMatchObject({ code: 1, stdout: "" });
    expect(ran.stderr.match(/^error:.*$/gm)).toEqual([
      "error: stopped before it was done; no file is left half-written",
    ]);
    expect(filesIn("stopped")).toEqual(before);
  });
});
