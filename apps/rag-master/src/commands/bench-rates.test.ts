import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Ran, runHere } from "../testing/run-command.ts";

const cwd = mkdtempSync(join(tmpdir(), "clara-rates-"));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const at = (name: string): string => join(cwd, name);
const here = (...args: string[]): Promise<Ran> => runHere([...args, "--threads", "1"], { cwd });

mkdirSync(at("docs"));
writeFileSync(at("docs/tent.md"), "# Tents\n\nThe Skarrow tent weighs 2.4 kg and costs 310 euro.\n");
writeFileSync(at("docs/returns.md"), "# Returns\n\nYou can return an unused item within 60 days.\n");
const questions = [
  { id: "1", question: "How much does the Skarrow tent weigh?", answers: ["2.4 kg"], document: "tent.md" },
  { id: "1", question: "How long can I return an item?", answers: ["60 days"], document: "returns.md" },
];
writeFileSync(at("questions.jsonl"), questions.map((question) => JSON.stringify(question)).join("\n"));

describe("bench --rates", () => {
  it("measures each rate in each context on a person's own questions, and writes a page", async () => {
    const { code, stdout, stderr } = await here(
      ...[
        "bench",
        at("docs"),
        "--rates",
        "16,2,4",
        "--data",
        at("questions.jsonl"),
        "--html",
        at("rates.html"),
        "--json",
      ],
    );
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('has the id "1", which') });
    const { points, ...found } = JSON.parse(stdout);
    expect(found).toMatchObject({ n: 2, passages: 2, skipped: 0, duplicates: 1, documents: [at("docs")] });
    expect(points.map(({ rate, context }: { rate: number; context: string }) => `${rate} ${context}`)).toEqual(
      [2, 4, 16].flatMap((rate) => ["memory", "text", "mixed"].map((context) => `${rate} ${context}`)),
    );
    for (const point of points) {
      expect(point.bytes).toBeGreaterThan(0);
      if (!point.supported) expect(point).toMatchObject({ f1: null, reason: expect.stringMatching(/\w/) });
      else expect(point).toMatchObject({ f1: expect.any(Number), firstToken: { p50: expect.any(Number) } });
    }
    const text = points.filter(({ context }: { context: string }) => context === "text");
    expect(text[0]).toMatchObject({ recall1: 1, supported: true });
    // A finer memory takes more bytes.
    expect(text[0].bytes).toBeGreaterThan(text[2].bytes);
    expect(found.besideText[0]).toMatchObject({ rate: 2, sooner: { ratio: expect.any(Number) } });
    const page = readFileSync(at("rates.html"), "utf8");
    expect(page).toContain("<h2>F1 by rate</h2>");
  });

  it("prints tables for people; a record with documents needs no folder", async () => {
    const records = [
      {
        question: "How much does the tent weigh?",
        answers: ["2.4 kg"],
        docs: ["The tent weighs 2.4 kg.", "It rains."],
        pos_index: [0],
      },
      "broken",
    ];
    writeFileSync(at("own.jsonl"), records.map((record) => JSON.stringify(record)).join("\n"));
    const { code, stdout, stderr } = await here(
      ...["bench", "--rates", "8", "--contexts", "mixed,text", "--data", at("own.jsonl"), "--skip-bad"],
    );
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringMatching(/left out: .*own.jsonl line 2/) });
    expect(stdout).toMatch(/^1 questions of .*own.jsonl; 2 passages/);
    expect(stdout).toMatch(/\n +8 {2}mixed +\d.*\n +8 {2}text +\d/);
    expect(stdout).toMatch(/beside reading all the text.*\n.*sooner.*\n +8 {2}mixed/);
  });

  it.each<[string, string[], RegExp, number]>([
    ["a folder in the place of the rates", ["--rates", "docs"], /--rates: needs whole numbers from 1 to 256/, 2],
    ["an impossible rate", ["--rates", "4,257"], /got "4,257"/, 2],
    ["an unknown context", ["--rates", "4", "--contexts", "text,all"], /--contexts: "all" is not known/, 2],
    ["documents without questions", [at("docs"), "--rates"], /needs questions about these documents/, 2],
    ["questions without documents", ["--rates", "4", "--data", at("questions.jsonl")], /name the files or folders/, 2],
    ["a page where none can be", ["--rates", "--html", at("none/x.html")], /--html: .* cannot be written/, 1],
    [
      "questions without --rates",
      ["--data", at("questions.jsonl")],
      /--data is for the curve of rates; add --rates/,
      2,
    ],
  ])("refuses %s", async (_, args, message, code) => {
    expect(await here("bench", ...args)).toMatchObject({ code, stdout: "", stderr: expect.stringMatching(message) });
  });
});

describe("evaluate", () => {
  const squad = {
    version: "1.1",
    data: [
      {
        title: "Harwick",
        paragraphs: [
          {
            context: "The fair of Harwick began in 1821.",
            qas: [{ id: "q", question: "When did the fair begin?", answers: [{ text: "1821", answer_start: 29 }] }],
          },
          { context: "Bread is sold at noon.", qas: [] },
        ],
      },
    ],
  };

  it("reads SQuAD as it was published, with distractors, and compares with an earlier run in the same file", async () => {
    writeFileSync(at("squad.json"), JSON.stringify(squad));
    const run = (...flags: string[]) =>
      here("evaluate", at("squad.json"), "--documents", "2", "--predictions", at("run.jsonl"), "--json", ...flags);
    const first = JSON.parse((await run()).stdout);
    expect(first).toMatchObject({ n: 1, recall: { 1: 1 }, comparison: null, data: { skipped: 0, duplicates: 0 } });
    const second = JSON.parse((await run("--context", "text", "--compare", at("run.jsonl"))).stdout);
    expect(second).toMatchObject({ context: "text", comparison: { n: 1, f1: { difference: 0, p: 1 } } });
  });

  it("says what helps against a bad record, and names an unknown format or setting", async () => {
    writeFileSync(at("bad.jsonl"), '{"question": "a?"}\n');
    const failed = (...flags: string[]) => here("evaluate", at("bad.jsonl"), ...flags);
    expect((await failed()).stderr).toMatch(/bad.jsonl line 1: needs "answers".*--skip-bad leaves such records out/);
    expect(await failed("--skip-bad")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/holds no records; 1 cannot/),
    });
    expect(await failed("--format", "csv")).toMatchObject({ code: 2, stderr: expect.stringContaining("hotpotqa") });
    expect(await failed("--setting", "hard")).toMatchObject({ code: 2, stderr: expect.stringContaining("oracle") });
    expect(existsSync(at("out.jsonl"))).toBe(false);
  });
});
