import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ran, runCommand, runHere } from "../testing/run-command.ts";

let cwd = "";
let indexed: Ran;
/** In a process of its own, with `cwd` as its folder. */
const run = (...args: string[]): Promise<Ran> => runCommand(args, { cwd });
/** In this process: paths must be absolute. */
const here = (...args: string[]): Promise<Ran> => runHere(args, { cwd });

const weighs = "How much does the Skarrow tent weigh?";

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "clara-commands-"));
  mkdirSync(join(cwd, "docs"));
  writeFileSync(join(cwd, "docs/tent.md"), "# Skarrow tent\n\nThe Skarrow tent weighs 2.4 kg. It sleeps two.\n");
  writeFileSync(join(cwd, "docs/returns.md"), "# Returns\n\nYou can return an unused item within 60 days.\n");
  writeFileSync(join(cwd, "docs/logo.png"), "x");
  indexed = await run("index", "docs", "--pack", "pack", "--json");
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

/** The one JSON value of a command that did its work. */
function jsonOf({ code, stdout, stderr }: Ran): Record<string, unknown> {
  expect(code, stderr).toBe(0);
  expect(stdout.endsWith("\n") && stdout.trimEnd().split("\n").length === 1, stdout).toBe(true);
  return JSON.parse(stdout);
}

/** Names in their order, those of a list's first member and of objects below them too. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value !== "object" || value === null) return "";
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shapeOf(part)]));
}

const citation = { passage: "", document: "", title: "", quote: "", start: "", end: "", verified: "" };
const from = { bm25: { rank: "", score: "" }, dense: { rank: "", score: "" } };
const hit = { passage: "", document: "", score: "", rank: "", from };

describe("index", () => {
  it("prints counts that add up", () => {
    const report = jsonOf(indexed);
    expect(report).toMatchObject({ pack: "pack", found: 3, indexed: 2, unchanged: 0, skipped: 1, failed: 0 });
    expect(indexed.stderr).toContain("skipped: logo.png: unsupported type .png");
  });
});

describe("ask", () => {
  it("prints exactly the fixed JSON value", async () => {
    const given = jsonOf(await run("ask", weighs, "--pack", "pack", "--json"));
    expect(shapeOf(given)).toEqual({
      question: "",
      answer: "",
      refused: "",
      reason: "",
      confidence: "",
      citations: [citation],
      hits: [hit],
      tokens: { text: "", read: "" },
      timings: { retrieve: "", rerank: "", firstToken: "", total: "" },
      record: "",
    });
    expect(given).toMatchObject({ refused: false, reason: null, answer: expect.stringContaining("2.4 kg") });
    const [first] = given.citations as { document: string; start: number; end: number; quote: string }[];
    const text = readFileSync(join(cwd, "docs", first!.document), "utf8");
    expect(text.slice(first!.start, first!.end)).toBe(first!.quote);
    const record = JSON.parse(readFileSync(join(cwd, "pack/records", `${given.record}.json`), "utf8"));
    expect(record).toMatchObject({ question: given.question, answer: given.answer });
    expect(record.decisions).toHaveLength(5);
  });

  it("prints the answer and its citation, and says nothing else when quiet", async () => {
    const { code, stdout, stderr } = await here("ask", weighs, "--docs", join(cwd, "docs"), "--quiet");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/2\.4 kg.*\n\[1\] tent\.md:3 "The Skarrow tent weighs 2\.4 kg\."\n$/);
  });

  it("refuses with exit code 0: a refusal is an answer", async () => {
    const { code, stdout } = await here("ask", "Who won the football world cup in 1998?", "--pack", join(cwd, "pack"));
    expect(code).toBe(0);
    expect(stdout).toMatch(/^I could not find an answer.*\n.*\(retrieval: 0\.\d+, needs 0\.\d+\)\n$/);
  });
});

describe("search", () => {
  it("prints exactly the fixed JSON value", async () => {
    const found = jsonOf(await here("search", "tent weight", "--pack", join(cwd, "pack"), "--k", "1", "--json"));
    expect(shapeOf(found)).toEqual({ query: "", hits: [{ ...hit, text: "" }] });
    expect(found).toMatchObject({ query: "tent weight", hits: [{ document: "tent.md", rank: 1 }] });
  });
});

describe("evaluate", () => {
  it("prints exactly the fixed JSON value, and writes the predictions", async () => {
    const records = [
      {
        question: "How much does the Skarrow tent weigh?",
        answers: ["2.4 kg"],
        docs: ["You can return an unused item within 60 days.", "The Skarrow tent weighs 2.4 kg."],
        pos_index: [1],
      },
      { question: "Who won the world cup?", answerable: false, docs: ["The Skarrow tent weighs 2.4 kg."] },
    ];
    writeFileSync(join(cwd, "data.jsonl"), records.map((record) => JSON.stringify(record)).join("\n"));
    const summary = jsonOf(await run("evaluate", "data.jsonl", "--predictions", "out.jsonl", "--json"));
    const times = { p50: "", p95: "" };
    expect(shapeOf(summary)).toEqual({
      n: "",
      context: "",
      rate: "",
      em: "",
      f1: "",
      cover: "",
      emAny: "",
      f1Any: "",
      recall: { 1: "", 3: "", 5: "" },
      refused: "",
      refusal: { auroc: "", precision: "", recall: "" },
      citations: { given: "", verified: "", holdAnswer: "" },
      tokens: { text: "", read: "" },
      ms: { firstToken: times, total: times },
      ci95: { f1: [""] },
      // Beside what is fixed: the same without refusals.
      always: { em: "", f1: "", f1Any: "" },
      calibration: { ece: "", bins: [{ low: "", high: "", n: "", confidence: "", accuracy: "" }] },
      data: { skipped: "", duplicates: "" },
      comparison: "",
    });
    expect(summary).toMatchObject({ n: 2, context: "mixed", rate: 16, recall: { 1: 1 }, citations: { verified: 1 } });
    const lines = readFileSync(join(cwd, "out.jsonl"), "utf8").trimEnd().split("\n");
    const [first, second] = lines.map((line) => JSON.parse(line));
    expect(Object.keys(first)).toEqual(
      expect.arrayContaining(["prediction", "refused", "confidence", "topk_idx", "citations"]),
    );
    expect(first).toMatchObject({ refused: false, topk_idx: [1, 0] });
    expect(second).toMatchObject({ prediction: "", refused: true, citations: [] });
  });

  it("names what cannot be used, and leaves earlier predictions alone", async () => {
    writeFileSync(join(cwd, "bad.jsonl"), '{"question": "a?", "answer": "b", "docs": ["b"]}\n{"question": 7}\n');
    writeFileSync(join(cwd, "kept.jsonl"), "kept");
    const predictions = (file: string) => ["--predictions", join(cwd, file)];
    const evaluate = (file: string, ...flags: string[]) => here("evaluate", join(cwd, file), ...flags);
    const bad = await evaluate("bad.jsonl", ...predictions("kept.jsonl"));
    expect(bad).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("bad.jsonl line 2: needs") });
    writeFileSync(join(cwd, "nodocs.jsonl"), '{"question": "a?", "answer": "b"}\n');
    const noPack = await evaluate("nodocs.jsonl", "--pack", join(cwd, "none"), ...predictions("kept.jsonl"));
    expect(noPack).toMatchObject({ code: 1, stderr: expect.stringContaining("there is no folder") });
    expect(readFileSync(join(cwd, "kept.jsonl"), "utf8")).toBe("kept");
    const nowhere = await evaluate("bad.jsonl", "--limit", "1", ...predictions("nowhere/out.jsonl"));
    expect(nowhere).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: --predictions: .*nowhere.out\.jsonl cannot be written/),
    });
  });
});

describe("evaluate-retrieval", () => {
  it("prints exactly the fixed JSON value, from a folder with a gzipped file", async () => {
    mkdirSync(join(cwd, "beir/qrels"), { recursive: true });
    const corpus = ["The tent weighs 2.4 kg.", "Returns within 60 days.", "The stove burns gas."];
    const lines = corpus.map((text, n) => JSON.stringify({ _id: `d${n}`, title: "", text })).join("\n");
    writeFileSync(join(cwd, "beir/corpus.jsonl.gz"), gzipSync(lines));
    writeFileSync(join(cwd, "beir/queries.jsonl"), '{"_id": "q", "text": "How heavy is the tent?"}\n');
    writeFileSync(join(cwd, "beir/qrels/test.tsv"), "query-id\tcorpus-id\tscore\nq\td0\t1\n");
    const summary = jsonOf(await here("evaluate-retrieval", join(cwd, "beir"), "--retriever", "bm25", "--json"));
    expect(shapeOf(summary)).toEqual({
      n: "",
      retriever: "",
      ndcg: { 10: "" },
      recall: { 1: "", 3: "", 5: "", 12: "", 25: "", 100: "" },
      mrr: { 10: "" },
      ms: { p50: "", p95: "" },
    });
    expect(summary).toMatchObject({ n: 1, retriever: "bm25", ndcg: { 10: 1 }, recall: { 1: 1 }, mrr: { 10: 1 } });
  });
});

describe("bench", () => {
  it("prints one JSON value with the figures of this machine", async () => {
    const figures = jsonOf(await here("bench", join(cwd, "docs"), "--threads", "1", "--json"));
    const spread = { p50: "", p95: "" };
    expect(shapeOf(figures)).toEqual({
      version: "",
      date: "",
      machine: { cores: "", cpu: "", memoryGiB: "", system: "", node: "" },
      engine: { name: "", details: "" },
      documents: { files: "", passages: "", tokens: "" },
      startMs: "",
      compress: { passagesPerSecond: "", tokensPerSecond: "" },
      queryMs: spread,
      firstAnswerMs: "",
      firstTokenMs: spread,
      peakMemoryMB: "",
    });
    expect(figures).toMatchObject({
      engine: { name: "compiled", details: expect.stringMatching(/1 thread/) },
      documents: { files: 2, passages: 2 },
    });
    const numbers = [figures.startMs, figures.firstAnswerMs, figures.peakMemoryMB, ...Object.values(figures.compress!)];
    for (const number of numbers) expect(number).toBeGreaterThan(0);
  });

  it("prints a table for people", async () => {
    const { code, stdout } = await here("bench", join(cwd, "docs"), "--threads", "1");
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^engine +compiled, ONNX Runtime.*\ndocuments +2 files, 2 passages.*\nstart .*\ncompress +[\d.]+ passages\/s, [\d,.]+ tokens\/s\n/,
    );
  });

  it("says that there is nothing to compress", async () => {
    mkdirSync(join(cwd, "none"), { recursive: true });
    const { code, stderr } = await here("bench", join(cwd, "none"));
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("there is no text to compress") });
  });
});

describe("doctor", () => {
  it("prints one JSON value: what was found, and the engine that was asked about, measured", async () => {
    const found = jsonOf(await here("doctor", "--engine", "compiled", "--json"));
    expect(shapeOf(found)).toEqual({
      version: "",
      findings: [{ part: "", ok: "", found: "", advice: "" }],
      engines: [{ engine: "", works: "", details: "", passageMs: "", estimated: "", reason: "", advice: [] }],
    });
    expect(found.engines).toEqual([
      expect.objectContaining({ engine: "compiled", works: true, passageMs: expect.any(Number), estimated: false }),
    ]);
  });
});

describe("--engine", () => {
  it("has exit code 2 and names the choices for one that does not exist", async () => {
    const { code, stderr } = await here("search", "x", "--engine", "onnx");
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining("Allowed choices are auto, compiled,"),
    });
    const threads = await here("search", "x", "--pack", join(cwd, "pack"), "--threads", "0");
    expect(threads).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--threads: needs a whole number from 1"),
    });
  });

  /** ONNX Runtime cannot be loaded by this process and its threads. */
  const hook = `import { registerHooks } from "node:module";
    registerHooks({ resolve(name, context, next) {
      if (name === "onnxruntime-node") throw new Error("no library for this machine");
      return next(name, context);
    } });`;
  const before = `export NODE_OPTIONS="$NODE_OPTIONS --import=data:text/javascript,${encodeURIComponent(hook)}"`;

  it("auto says which engine was taken when a better one does not start", async () => {
    const { code, stdout, stderr } = await runCommand(["search", "tent weight", "--pack", "pack", "--k", "1"], {
      cwd,
      before,
    });
    expect(code, stderr).toBe(0);
    expect(stdout).toContain("tent.md");
    expect(stderr).toMatch(
      /^warning: models run on the engine (tfjs-node|wasm|cpu), .* compiled: .*onnxruntime-node cannot load .*no library for this machine/m,
    );
  });

  it("a name never means another engine", async () => {
    const { code, stdout, stderr } = await runCommand(["search", "x", "--pack", "pack", "--engine", "compiled"], {
      cwd,
      before,
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(
      /^error: engine compiled: onnxruntime-node cannot load on .*no library for this machine.*install/,
    );
  });
});

describe("config check", () => {
  it("prints the effective configuration and where each value came from", async () => {
    writeFileSync(join(cwd, "good.yaml"), "rag_master:\n  reranking:\n    top_k: 3\n");
    const { code, stdout } = await here("config", "check", join(cwd, "good.yaml"));
    expect(code).toBe(0);
    expect(stdout).toMatch(/top_k: 3 +# .*good\.yaml:3/);
    expect(stdout).toMatch(/min_score: 0\.\d+ +# default/);
  });

  it.each([
    [
      "an unknown key",
      "rag_master:\n  retreival: {}\n",
      ":2:3: retreival is not a setting",
      'did you mean "retrieval"',
    ],
    [
      "a wrong type",
      'rag_master:\n  reranking:\n    top_k: "5"\n',
      ":3:5: reranking.top_k must be a whole number from 1 to 37",
      'found "5"',
    ],
  ])("says where in the file is %s, with exit code 2", async (_what, text, where, what) => {
    const file = join(cwd, "bad.yaml");
    writeFileSync(file, text);
    for (const command of [
      ["config", "check", file],
      ["ask", "x", "--config", file],
    ]) {
      const { code, stdout, stderr } = await here(...command);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toContain(`bad.yaml${where}`);
      expect(stderr).toContain(what);
    }
  });
});

describe("wrong usage", () => {
  it.each([
    [["frobnicate"], "unknown command 'frobnicate'"],
    [["ask", "x", "--frob"], "unknown option '--frob'"],
    [["ask"], "missing required argument 'question'"],
    [["index"], "index needs a file or folder, as in: index docs"],
    [["index", "docs", "--rate", "0"], '--rate: needs a whole number from 1 to 256, got "0"'],
    [["search", "x", "--retriever", "bm52"], '"bm52" is not known; choose one of bm25'],
    [["ask", "x", "--pack", "pack", "--docs", "docs"], "--pack and --docs: give one of them"],
  ])("%j has exit code 2 and one clear line", async (args, what) => {
    const { code, stdout, stderr } = await here(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(what);
    expect(stderr).not.toMatch(/^ {4}at /m);
  });
});

describe("a process", () => {
  it("has exit code 2 for a wrong flag and 1 for what failed, with one clear line", async () => {
    const [wrong, failed] = await Promise.all([run("ask", "x", "--frob"), run("ask", "")]);
    expect(wrong).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("unknown option '--frob'") });
    expect(failed).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(/^error: .*empty.*\n$/) });
  });

  it("shows a stack trace with --debug only", async () => {
    const debug = await here("ask", "", "--debug");
    expect(debug.stderr).toMatch(/^ {4}at /m);
  });
});

describe("--help", () => {
  it("has examples for every command", async () => {
    const { code, stdout } = await here("--help");
    expect(code).toBe(0);
    expect((await here()).stdout).toBe(stdout);
    const list = stdout.slice(stdout.indexOf("Commands:"));
    const names = [...list.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name]) => name!).filter((name) => name !== "help");
    const all = ["index", "ask", "search", "evaluate", "evaluate-retrieval", "doctor", "bench", "engine"];
    expect(names).toEqual(expect.arrayContaining(all));
    for (const name of [...names, "config check"]) {
      const page = await here(...name.split(" "), "--help");
      expect(page).toMatchObject({ code: 0, stderr: "" });
      expect(page.stdout).toMatch(/^Examples:\n {2}\S/m);
    }
  });
});

describe("what is left behind", () => {
  it("is nothing outside the pack and the cache: no library reports home or keeps a file of its own", () => {
    expect(existsSync(join(cwd, "home"))).toBe(false);
  });
});

describe("a reader that goes away", () => {
  it("is no error on stdout, as with | head", async () => {
    const { code, stderr } = await runCommand(["--help"], { cwd, closed: ["stdout"] });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });

  it("does not end the work when it only read stderr", async () => {
    const ran = await runCommand(["index", "docs", "--pack", "quiet-pack", "--json"], { cwd, closed: ["stderr"] });
    expect(jsonOf(ran)).toMatchObject({ indexed: 2, passages: 2 });
  });
});
