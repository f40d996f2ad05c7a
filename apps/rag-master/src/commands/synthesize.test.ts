import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readRecords } from "@clara/evaluation";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Behaviour, type Endpoint, fails, stalls, startEndpoint } from "../synthesize/endpoint.testing.ts";
import { type HereOptions, runHere } from "../testing/run-command.ts";

let folder: string;
let endpoint: Endpoint | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "clara-synthesize-"));
  await mkdir(join(folder, "docs"));
  await writeFile(
    join(folder, "docs", "about.md"),
    "# Tarnmoor\n\nTarnmoor is an Irish clothing shop. The first shop opened in 2011. The repair workshop employs 86 people.\n",
  );
  await writeFile(
    join(folder, "docs", "prices.csv"),
    "Name,Price,Weight\nRain Cape,89.00,290 g\nWool Hat,19.00,55 g\n",
  );
});
afterEach(async () => {
  await endpoint?.close();
  endpoint = undefined;
  await rm(folder, { recursive: true });
});

const runWith = (options: HereOptions, ...args: string[]) =>
  runHere(["synthesize", join(folder, "docs"), "--out", join(folder, "out.jsonl"), ...args], {
    cwd: folder,
    ...options,
  });
const run = (...args: string[]) => runWith({}, ...args);
const out = () => readFile(join(folder, "out.jsonl"), "utf8");
const lines = async (file = "out.jsonl") =>
  (await readFile(join(folder, file), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe("synthesize by rules", () => {
  it("writes records that evaluate reads, checked by the reader, the same each time", async () => {
    const { code, stdout, stderr } = await run("--json");
    expect({ code, stderr: stderr.includes("error") }).toEqual({ code: 0, stderr: false });
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ documents: 2, passages: 3, dryRun: false, problems: [] });
    const first = await out();
    const records = await collect(readRecords(first.split("\n"), "out.jsonl"));
    expect(records).toHaveLength(report.records);
    expect(records.map(({ answers }) => answers[0])).toEqual(expect.arrayContaining(["89.00", "290 g", "2011"]));
    for (const { docs, spans, answers } of await lines())
      for (const { doc, start, end } of spans) expect(docs[doc].slice(start, end)).toBe(answers[0]);
    await run();
    expect(await out()).toBe(first);
  });

  it("says what it would make and writes nothing with --dry-run", async () => {
    const { code, stdout } = await run("--dry-run");
    expect(code).toBe(0);
    expect(stdout).toMatch(/dry run: \d+ questions from 3 passages[\s\S]*record +\d+/);
    expect(existsSync(join(folder, "out.jsonl"))).toBe(false);
  });

  it("writes the reference's lines, and paraphrases in a file of their own", async () => {
    const { code } = await run("--format", "clara", "--paraphrases", "--no-check");
    expect(code).toBe(0);
    for (const { data_type, question, answers, docs } of await lines())
      expect([data_type, question.length, docs.length]).toEqual(["qa", answers.length, 1]);
    expect(await lines("out.paraphrases.jsonl")).toContainEqual({
      data_type: "paraphrase",
      question: "",
      answers: ["Rain Cape costs 89.00. It weighs 290 g."],
      docs: [expect.stringContaining("Rain Cape")],
    });
  });

  it("names documents that are empty or unreadable, and goes on", async () => {
    await writeFile(join(folder, "docs", "empty.md"), "");
    await writeFile(join(folder, "docs", "blob.md"), new Uint8Array(64));
    const { code, stderr } = await run("--no-check", "--limit", "3");
    expect(code).toBe(0);
    expect(stderr).toMatch(/skipped: empty\.md: empty/);
    expect(stderr).toMatch(/skipped: blob\.md: /);
    expect(await lines()).toHaveLength(3);
  });

  it("leaves the file as it was when there is nothing to ask", async () => {
    await rm(join(folder, "docs"), { recursive: true });
    await mkdir(join(folder, "docs"));
    await writeFile(join(folder, "docs", "x.md"), "Hm.");
    await writeFile(join(folder, "out.jsonl"), "before");
    expect(await run("--no-check")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("no question could be made"),
    });
    expect(await out()).toBe("before");
  });

  it("refuses flags that cannot be meant", async () => {
    expect(await run("--format", "xml")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('"xml" is not known'),
    });
    expect(await run("--endpoint", "http://127.0.0.1:1")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--model"),
    });
    expect(await run("--endpoint", "nowhere", "--model", "m")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("needs an address"),
    });
    expect(await run("--rounds", "11")).toMatchObject({ code: 2 });
    expect(await run("--unanswerable", "2")).toMatchObject({ code: 2, stderr: expect.stringContaining("from 0 to 1") });
  });
});

/** Replies as a good model would: a pair for each number of the text. */
function good(prompt: string): string {
  const text = /<<<\n([\s\S]*)\n>>>/.exec(prompt)![1]!;
  if (prompt.includes('"wrong"')) return '{"missing": [], "wrong": []}';
  if (prompt.includes('"evidence"')) return '{"pairs": []}';
  if (prompt.includes('"paraphrase"')) return JSON.stringify({ paraphrase: `Put differently: ${text}` });
  return JSON.stringify({
    pairs: (text.match(/\d[\d.]*\d/g) ?? []).map((number, i) => ({
      question: `What is number ${i + 1} in ${text.slice(0, 12)}?`,
      answer: number,
    })),
  });
}

const ask = (...args: string[]) => run("--endpoint", endpoint!.url, "--model", "m", ...args);

describe("synthesize by an endpoint", () => {
  it("writes its pairs with their places, and asks nothing twice", async () => {
    endpoint = await startEndpoint(({ prompt }) => good(prompt));
    const { code, stdout } = await ask("--json", "--paraphrases");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      asked: 3,
      requests: 12,
      cached: 0,
      paraphrases: 3,
      rejected: 0,
      uncovered: 0,
    });
    const first = await out();
    for (const { docs, spans, answers, rule } of await lines())
      expect([docs[spans[0].doc].slice(spans[0].start, spans[0].end), rule]).toEqual([answers[0], "endpoint"]);
    const again = await ask("--json", "--paraphrases");
    expect(JSON.parse(again.stdout)).toMatchObject({ requests: 0, cached: 12 });
    expect(await out()).toBe(first);
  });

  it("sends the key that the named variable holds, and none where it holds none", async () => {
    endpoint = await startEndpoint(({ prompt }) => good(prompt));
    const to = ["--endpoint", endpoint.url, "--limit", "1", "--model"];
    const env = { OPENAI_API_KEY: "usual", MY_KEY: "mine" };
    await runWith({ env }, ...to, "a");
    await runWith({ env }, ...to, "b", "--key-env", "MY_KEY");
    await runWith({ env }, ...to, "c", "--key-env", "NO_KEY");
    const sent = new Map(endpoint.asked.map(({ model, headers }) => [model, headers.authorization]));
    expect([...sent]).toEqual([
      ["a", "Bearer usual"],
      ["b", "Bearer mine"],
      ["c", undefined],
    ]);
  });

  it("stops at Ctrl-C, and says of no file that it was written", async () => {
    const stop = new AbortController();
    endpoint = await startEndpoint(({ prompt }) => {
      stop.abort();
      return good(prompt);
    });
    await writeFile(join(folder, "out.jsonl"), "before");
    const ran = await runWith({ signal: stop.signal }, "--endpoint", endpoint.url, "--model", "m");
    expect(ran).toMatchObject({ code: 1, stdout: "" });
    expect(ran.stderr).toContain("error: stopped before it was done; no file is left half-written\n");
    expect(await out()).toBe("before");
  });

  it("says the cost first, and asks for a yes where it is high", async () => {
    endpoint = await startEndpoint(({ prompt }) => good(prompt));
    const { stdout } = await ask("--dry-run", "--json", "--price-in", "1000", "--price-out", "1000");
    const { estimate } = JSON.parse(stdout);
    expect(estimate.price).toBeCloseTo((estimate.tokensIn + estimate.tokensOut) / 1000, 1);
    expect(await ask("--price-in", "1000")).toMatchObject({ code: 2, stderr: expect.stringContaining("--yes") });
    expect(endpoint.asked).toHaveLength(0);
    expect(await ask("--price-in", "1000", "--yes")).toMatchObject({ code: 0 });
  });

  it("loses nothing when the endpoint fails in the middle", async () => {
    let healthy = false;
    endpoint = await startEndpoint(({ prompt }, count) => (healthy || count < 5 ? good(prompt) : fails(403, "quota")));
    await writeFile(join(folder, "out.jsonl"), "before");
    expect(await ask()).toMatchObject({ code: 2, stderr: expect.stringContaining("403") });
    expect(await out()).toBe("before");
    healthy = true;
    const { stdout } = await ask("--json");
    expect(JSON.parse(stdout)).toMatchObject({ cached: 4, requests: 5 });
  });

  it("gives up on an endpoint that never says anything usable, and on one that stalls", async () => {
    let does: Behaviour = "I would rather talk about the weather.";
    endpoint = await startEndpoint(() => does);
    expect(await ask()).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/holds nothing usable.*weather.*3 passages in a row/s),
    });
    does = stalls;
    expect(await ask("--timeout", "1", "--retries", "0")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("no whole reply within 1 s"),
    });
  });

  it("goes on after kill -9 where it was, but for the request in flight", async () => {
    let killed = false;
    const main = fileURLToPath(new URL("../main.ts", import.meta.url));
    const args = ["synthesize", join(folder, "docs"), "--out", join(folder, "out.jsonl"), "--model", "m", "--json"];
    const child: { kill?: () => void } = {};
    endpoint = await startEndpoint(({ prompt }, count) => {
      if (count !== 6 || killed) return good(prompt);
      killed = true;
      return () => child.kill!();
    });
    const spawned = spawn(process.execPath, ["--conditions=@clara/source", main, ...args, "--endpoint", endpoint.url], {
      cwd: folder,
      env: { ...process.env, CLARA_CACHE: join(folder, "cache") },
      stdio: "ignore",
    });
    child.kill = () => spawned.kill("SIGKILL");
    await new Promise((resolve) => spawned.on("close", resolve));
    expect(existsSync(join(folder, "out.jsonl"))).toBe(false);
    const { stdout } = await ask("--json");
    expect(JSON.parse(stdout)).toMatchObject({ cached: 5, requests: 4 });
    await cp(join(folder, "out.jsonl"), join(folder, "resumed.jsonl"));
    await rm(join(folder, "cache"), { recursive: true });
    await ask();
    expect(await out()).toBe(await readFile(join(folder, "resumed.jsonl"), "utf8"));
  });
});
