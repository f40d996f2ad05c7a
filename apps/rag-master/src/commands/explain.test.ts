import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { referenceConfig } from "@clara/train";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tinyAdapters, writeTinyBase, writeTinyCheckpoint } from "../import/tiny-checkpoint.testing.ts";
import { type Ran, runHere } from "../testing/run-command.ts";

const cwd = mkdtempSync(join(tmpdir(), "clara-explain-"));
const at = (name: string): string => join(cwd, name);
const run = (...args: string[]): Promise<Ran> => runHere(args, { cwd });
const settings = (model: string, rate = 16): string => {
  const path = at(`${model.replace(/\W/g, "")}.yaml`);
  const lines = [
    `compression: { model: "${model}", rate: ${rate} }`,
    "generation: { max_new_tokens: 4, temperature: 0 }",
    "guardrails: { require_citations: false }",
  ];
  writeFileSync(path, `rag_master:\n${lines.map((line) => `  ${line}\n`).join("")}`);
  return path;
};

let imported: string;
beforeAll(async () => {
  writeTinyBase(at("base"));
  const sizes = { documentTokens: 32, rate: 16, rank: 2, documents: 2 } as const;
  for (const [name, stage, roles] of [
    ["e2e", "endToEnd", ["compressor", "generator", "query"]],
    ["instruct", "instruction", ["compressor", "generator"]],
  ] as const) {
    const config = referenceConfig({ ...sizes, stage }, { base: "a/base" });
    writeTinyCheckpoint(at(`${name}-checkpoint`), { config, adapters: tinyAdapters(roles) });
    const ran = await run("import", at(`${name}-checkpoint`), "--base", at("base"), "--out", at(name));
    expect(ran.code, ran.stderr).toBe(0);
    imported = ran.stdout;
  }
});
afterAll(() => rmSync(cwd, { recursive: true }));

describe("a model folder, from import to an answer", () => {
  it("is said to work, and with which settings", () => {
    expect(imported).toMatch(/what works today: index, ask, evaluate and explain with this line.*temperature: 0.*\n$/);
  });

  it("is indexed and asked, and what was too long is said once, at the end", async () => {
    mkdirSync(at("docs"));
    writeFileSync(at("docs/a.md"), "# a title that leaves no room for much of the text\n\nthe mill is by the lake\n");
    const config = settings(at("e2e"));
    const index = await run("index", at("docs"), "--pack", at("pack"), "--config", config);
    expect(index.code, index.stderr).toBe(0);
    expect(index.stderr).toMatch(
      /3 of 3 texts are longer than the model reads and lost their ends, at least \d+ tokens/,
    );
    const ask = await run("ask", "the mill", "--pack", at("pack"), "--config", config, "--json");
    expect(ask.code, ask.stderr).toBe(0);
    expect(JSON.parse(ask.stdout)).toMatchObject({ refused: false, tokens: { read: 0 }, citations: [] });
    const text = await run("ask", "the mill", "--pack", at("pack"), "--config", config, "--context", "text");
    expect([text.code, text.stderr]).toEqual([1, expect.stringContaining("does not answer from context text")]);
  });
});

describe("explain", () => {
  it("lists the words nearest to each memory token of a question", async () => {
    const given = await run("explain", "--query", "the mill", "--top", "3", "--config", settings(at("e2e")));
    expect(given.code, given.stderr).toBe(0);
    expect(given.stdout).toMatch(/^<MEM0>( {2}".+?" -?\d+\.\d\d){3}\n<MEM1>( {2}".+?" -?\d+\.\d\d){3}\n$/);
    expect(given.stderr).toBe("");
  });

  it("gives one JSON value, and says when a question was read as a document", async () => {
    const args = ["explain", "--query", "the mill", "--config", settings(at("instruct"))];
    const given = JSON.parse((await run(...args, "--json")).stdout);
    expect(given).toMatchObject({ query: "the mill", adapter: "compressor", table: "output" });
    expect(given.tokens.map(({ memory, words }: never) => [memory, (words as unknown[]).length])).toEqual([
      [0, 8],
      [1, 8],
    ]);
    expect((await run(...args)).stderr).toContain("read with the compressor's, as a document");
    const input = JSON.parse((await run(...args, "--json", "--table", "input")).stdout);
    expect(input.table).toBe("input");
    expect(input.tokens).not.toEqual(given.tokens);
  });

  it("needs a question, a whole number, and a model whose vectors have words", async () => {
    const config = settings("@clara/mini");
    const embedded = await run("explain", "--query", "the mill", "--config", config);
    expect(embedded.code).toBe(1);
    expect(embedded.stderr).toMatch(/cannot be read so: .*; set compression.model to a CLaRa that import has made/);
    const empty = await run("explain", "--query", " ", "--config", config);
    expect([empty.code, empty.stderr]).toEqual([1, expect.stringContaining("--query: is empty")]);
    const top = await run("explain", "--query", "a", "--top", "0", "--config", config);
    expect([top.code, top.stderr]).toEqual([2, expect.stringContaining("--top: needs a whole number from 1 to 100")]);
    expect((await run("explain")).code).toBe(2);
  });
});
