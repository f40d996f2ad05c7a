import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Behaviour, type Endpoint, fails, stalls, startEndpoint } from "../synthesize/endpoint.testing.ts";
import { type HereOptions, type Ran, runCommand, runHere } from "../testing/run-command.ts";

const shop = fileURLToPath(new URL("../../../../examples/shop", import.meta.url));
const question = "How long is a gift card valid?";
const key = "sk-secret-17";
const holds = "A gift card is valid for 5 years from the date of purchase";

let cwd = "";
let pack = "";
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "clara-endpoint-"));
  pack = join(cwd, "pack");
  // The configuration of the others names a key that is not set: indexing asks nobody.
  const config = configOf("http://127.0.0.1:1/v1", "key_variable: NOT_SET");
  const { code, stderr } = await runHere(["index", shop, "--pack", pack, "--config", config], { cwd });
  expect(code, stderr).toBe(0);
}, 60_000);
afterAll(() => rm(cwd, { recursive: true, force: true }));

let endpoint: Endpoint | undefined;
afterEach(async () => {
  await endpoint?.close();
  endpoint = undefined;
});

function configOf(url: string, endpoint = "", rest = ""): string {
  const path = join(cwd, "endpoint.yaml");
  const more = endpoint === "" ? "" : `, ${endpoint}`;
  writeFileSync(path, `rag_master:\n  generation: { endpoint: { url: "${url}", model: tiny${more} } }\n${rest}`);
  return path;
}

interface Asked extends HereOptions {
  readonly flags?: readonly string[];
  readonly endpoint?: string;
  /** Further lines of the configuration. */
  readonly rest?: string;
  readonly question?: string;
}

/** Asks with an endpoint that does this, whatever it is asked. */
async function ask(behaviour: Behaviour, { flags = [], rest, ...asked }: Asked = {}): Promise<Ran> {
  endpoint = await startEndpoint(() => behaviour);
  const config = configOf(endpoint.url, `key_variable: TINY_KEY, retries: 0, ${asked.endpoint ?? ""}`, rest);
  const args = ["ask", asked.question ?? question, "--pack", pack, "--config", config, ...flags];
  return runHere(args, { cwd, env: { TINY_KEY: key }, ...(asked.signal && { signal: asked.signal }) });
}

describe("ask with an endpoint", () => {
  it("answers in its model's words with citations that hold, from the windows that the gate opens", async () => {
    const { code, stdout, stderr } = await ask(`5 years\nQuote: "${holds}"`, { flags: ["--json"] });
    expect(code, stderr).toBe(0);
    const given = JSON.parse(stdout);
    expect(given).toMatchObject({ answer: "5 years", refused: false, citations: [{ verified: true }] });
    const [{ document, start, end, quote }] = given.citations;
    expect(quote).toContain(holds);
    expect(readFileSync(join(shop, document), "utf8")).toContain(quote);
    expect(end - start).toBe(quote.length);
    expect(given.tokens.read).toBeGreaterThan(20);
    expect(given.tokens.read).toBeLessThan(given.tokens.text / 2);

    const [asked] = endpoint!.asked;
    expect(asked).toMatchObject({
      path: "/v1/chat/completions",
      model: "tiny",
      headers: { authorization: `Bearer ${key}` },
    });
    expect(asked!.body).toMatchObject({ max_tokens: 256, temperature: 0.7, stream: true });
    expect(asked!.prompt).toContain(holds);
    expect(asked!.prompt).toMatch(/Question: How long is a gift card valid\?$/);
    const record = readFileSync(join(pack, "records", `${given.record}.json`), "utf8");
    expect(stdout + stderr + record).not.toContain(key);
  });

  it("sends whole texts where it is told to, and says who it is", async () => {
    const rest = "  cognitive_brain: { persona: a shop assistant }\n";
    const texts = await ask("5 years", { flags: ["--json", "--context", "text"], rest });
    const { tokens } = JSON.parse(texts.stdout);
    expect(tokens.read).toBe(tokens.text);
    expect(endpoint!.asked[0]!.body.messages[0].content).toMatch(/^You are a shop assistant\.\n/);
  });

  it("refuses where the model says that the documents do not have it", async () => {
    const refused = { reason: "out_of_context", answer: null, citations: [] };
    const { code, stdout } = await ask("The documents do not have the answer.", { flags: ["--json"] });
    expect([code, JSON.parse(stdout)]).toMatchObject([0, refused]);
    expect(JSON.parse(stdout).tokens.read).toBeGreaterThan(20);
    await endpoint!.close();
    const said = await ask("Sorry, the documents do not say how long.");
    expect(said.stdout).toBe(
      "I could not find an answer to this in the documents.\nthe model found no answer in what it was given\n",
    );
  });

  it("asks nothing where no passage reaches min_score", async () => {
    const { stdout } = await ask("1998", { flags: ["--json"], question: "Who won the football world cup in 1998?" });
    expect(JSON.parse(stdout)).toMatchObject({ refused: true, reason: "out_of_context" });
    expect(endpoint!.asked).toEqual([]);
  });

  it("refuses an answer without a quote, or with one that is invented, as the guardrails have it", async () => {
    const invented = 'Seven long years\nQuote: "A gift card is valid for seven long years"';
    expect(JSON.parse((await ask(invented, { flags: ["--json"] })).stdout)).toMatchObject({ reason: "no_citation" });
    await endpoint!.close();
    const rest = "  guardrails: { require_citations: false }\n";
    const { stdout } = await ask(invented, { flags: ["--json"], rest });
    expect(JSON.parse(stdout)).toMatchObject({ answer: "Seven long years", refused: false, citations: [] });
  });

  it("stops at Ctrl-C", async () => {
    const stop = new AbortController();
    const { code, stderr } = await ask(
      (response) => {
        response.writeHead(200).flushHeaders();
        stop.abort();
      },
      { signal: stop.signal },
    );
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^error: stopped before it was done/) });
  });

  it("ends as a process, without its key in what it says", async () => {
    endpoint = await startEndpoint(() => fails(401, `no such key: ${key}`));
    const config = configOf(endpoint.url, "key_variable: TINY_KEY");
    const args = ["ask", question, "--pack", pack, "--config", config, "--debug"];
    const { code, stdout, stderr } = await runCommand(args, { cwd, before: `export TINY_KEY=${key}` });
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("no such key: ***");
    expect(stderr).not.toContain(key);
  });
});

describe("an endpoint that fails is one clear line:", () => {
  it("silence, and nobody there", async () => {
    const silent = await ask(stalls, { endpoint: "timeout_seconds: 1" });
    expect(silent).toMatchObject({ code: 1, stdout: "" });
    expect(silent.stderr).toMatch(/^error: generation\.endpoint: .* sent nothing more for 1 s; [^\n]*\n$/);
    const { url } = endpoint!;
    await endpoint!.close();
    const config = configOf(url, "retries: 0");
    const away = await runHere(["ask", question, "--pack", pack, "--config", config], { cwd });
    expect(away).toMatchObject({ code: 1, stdout: "" });
    expect(away.stderr).toMatch(/^error: generation\.endpoint: .* cannot be reached \(ECONNREFUSED\); [^\n]*\n$/);
  });

  it("a key that is not set, a context that it cannot read", async () => {
    const run = (endpoint: string, ...flags: string[]) => {
      const config = configOf("http://127.0.0.1:1/v1", endpoint);
      return runHere(["ask", question, "--pack", pack, "--config", config, ...flags], { cwd });
    };
    const unset = await run("key_variable: TINY_KEY");
    expect(unset).toMatchObject({ code: 2, stdout: "" });
    expect(unset.stderr).toMatch(/^error: generation\.endpoint\.key_variable: .* TINY_KEY is not set; put /);
    const memory = await run("retries: 0", "--context", "memory");
    expect(memory.stderr).toMatch(/does not answer from context memory; it takes mixed or text/);
  });
});

describe("other commands with an endpoint", () => {
  it("evaluate counts what was read, and a declined answer as a refusal", async () => {
    const [yes, no] = [`5 years\nQuote: "${holds}"`, "The documents do not have the answer."];
    endpoint = await startEndpoint(({ prompt }) => (prompt.endsWith(question) ? yes : no));
    const docs = [`${holds}.`, "Returns are free."];
    const records = [
      { question, answers: ["5 years"], docs },
      { question: "How long is a gift card refundable?", answers: [], answerable: false, docs },
    ];
    const data = join(cwd, "data.jsonl");
    writeFileSync(data, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
    const args = ["evaluate", data, "--config", configOf(endpoint.url), "--json"];
    const { code, stdout, stderr } = await runHere(args, { cwd });
    expect(code, stderr).toBe(0);
    const { em, refused, citations, tokens, always } = JSON.parse(stdout);
    expect({ em, refused, citations, always: always.em }).toMatchObject({
      ...{ em: 1, refused: 1, citations: { given: 1, verified: 1 }, always: 1 },
    });
    expect(tokens.read).toBeGreaterThan(20);
    expect(tokens.read).toBeLessThanOrEqual(tokens.text);
  });

  it("synthesize checks its pairs with the embedded reader", async () => {
    endpoint = await startEndpoint(() => "x");
    const [out, config] = [join(cwd, "pairs.jsonl"), configOf(endpoint.url)];
    const args = ["synthesize", join(shop, "opening-hours.md"), "--out", out, "--config", config, "--limit", "2"];
    const { code, stderr } = await runHere(args, { cwd });
    expect(code, stderr).toBe(0);
    expect([endpoint.asked, existsSync(out)]).toEqual([[], true]);
  });
});
