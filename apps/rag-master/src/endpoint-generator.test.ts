import { afterEach, describe, expect, it } from "vitest";
import { defaultConfig, type RagConfig } from "./config/index.ts";
import { textByEndpoint } from "./endpoint-generator.ts";
import { type Behaviour, type Endpoint, fails, stalls, startEndpoint } from "./synthesize/endpoint.testing.ts";
import { exitCode, formatError } from "./terminal/index.ts";

let endpoint: Endpoint | undefined;
afterEach(() => endpoint?.close());

const key = "sk-secret-17";
const evidence = [{ id: "a", title: "", text: "A gift card is valid for 5 years.", score: 0.8 }];

function configOf(url: string, keyVariable: string | undefined = "TINY_KEY"): RagConfig {
  const config = defaultConfig();
  const settings = { url, model: "tiny", send: "text", timeoutSeconds: 1, retries: 0 } as const;
  return {
    ...config,
    generation: { ...config.generation, endpoint: { ...settings, ...(keyVariable && { keyVariable }) } },
  };
}

async function generate(behaviour: Behaviour, { keyVariable = "TINY_KEY" }: { keyVariable?: string } = {}) {
  endpoint = await startEndpoint(() => behaviour);
  const generator = textByEndpoint(configOf(endpoint.url, keyVariable), {
    variable: (name) => (name === "TINY_KEY" ? ` ${key}\n` : undefined),
    fragments: undefined,
    count: (text) => text.length,
  });
  return generator.generate({ text: "How long?" }, evidence, { context: "text" });
}

describe("textByEndpoint", () => {
  it("asks with the key of the variable that is named, and with none where none is", async () => {
    const answers = { answer: "5 years", quotes: [{ text: "5 years", start: 25, end: 32 }] };
    expect(await generate("5 years")).toMatchObject(answers);
    expect(endpoint!.asked[0]!.headers.authorization).toBe(`Bearer ${key}`);
    await endpoint!.close();
    await generate("5 years", { keyVariable: "" });
    expect(endpoint!.asked[0]!.headers.authorization).toBeUndefined();
  });

  it("misses a key at the first question, not before", async () => {
    await expect(generate("5 years", { keyVariable: "OTHER" })).rejects.toMatchObject({
      code: "config",
      message: expect.stringMatching(
        /^generation\.endpoint\.key_variable: the environment variable OTHER is not set; put /,
      ),
    });
    expect(endpoint!.asked).toEqual([]);
  });

  const html: Behaviour = (response) => response.writeHead(200, { "content-type": "text/html" }).end("<h1>Hello</h1>");
  const drops: Behaviour = (response) => response.destroy();
  it.each([
    ["a wrong key", fails(401, "bad key"), 2, /: bad key; check the key in the environment variable TINY_KEY, and /],
    ["another model", fails(404, "no model `tiny`"), 2, / answered 404: no model `tiny`; it serves no model "tiny"; /],
    ["another address", fails(404, "Not Found"), 2, / check generation\.endpoint\.url: it must end /],
    ["too much to do", fails(429, "slow down"), 1, / answered 429: slow down; is it starting/],
    ["nonsense", html, 1, / sent what is not JSON of OpenAI's protocol \(text\/html\): Hello$/],
    ["nothing", "", 1, / gave an empty answer /],
    ["a broken connection", drops, 1, / cannot be reached \(\w+\); is it running, is the address right\?/],
    ["silence", stalls, 1, / sent nothing more for 1 s; .*generation\.endpoint\.timeout_seconds/],
  ])("says in one line that there is %s", async (_, behaviour, code, message) => {
    const error = await generate(behaviour).catch((error: unknown) => error);
    const said = formatError(error);
    expect(exitCode(error)).toBe(code);
    expect(said).toMatch(message);
    expect(said).toMatch(/^error: generation\.endpoint: http:\/\/127\.0\.0\.1:\d+\/v1\/chat\/completions [^\n]*$/);
  });

  it("says that it has sent no key, and never shows one", async () => {
    await expect(generate(fails(401), { keyVariable: "" })).rejects.toThrow(
      /check generation\.endpoint\.key_variable \(it names none/,
    );
    await endpoint!.close();
    const error = await generate(fails(401, `no such key: ${key}`)).catch((error: unknown) => error);
    expect(formatError(error, { debug: true })).toMatch(/^(?!.*secret)error: .*no such key: \*\*\*;/s);
  });
});
