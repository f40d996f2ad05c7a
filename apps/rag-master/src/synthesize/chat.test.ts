import { afterEach, describe, expect, it } from "vitest";
import { chatClient, chatUrl } from "./chat.ts";
import { type Behaviour, type Endpoint, fails, stalls, startEndpoint } from "./endpoint.testing.ts";

let endpoint: Endpoint | undefined;
afterEach(() => endpoint?.close());

const key = "sk-secret-17";
const request = { messages: [{ role: "user" as const, content: "Hello" }], temperature: 0 };

async function talk(behaviours: Behaviour[], options = {}) {
  endpoint = await startEndpoint((_, count) => behaviours[Math.min(count, behaviours.length) - 1]!);
  const chat = chatClient({ endpoint: endpoint.url, model: "m", key, backoffMs: 0, ...options });
  return chat(request);
}

describe("chatClient", () => {
  it("gives the reply and its tokens, and sends model and key", async () => {
    expect(await talk(["Hi"])).toEqual({ content: "Hi", tokens: { in: 100, out: 10 } });
    expect(endpoint!.asked).toMatchObject([
      { model: "m", prompt: "Hello", headers: { authorization: `Bearer ${key}` } },
    ]);
  });

  it("tries again after 429, 500 and a reply that is none", async () => {
    const odd: Behaviour = (response) => response.end("<html>");
    const broken: Behaviour = (response) => response.destroy();
    expect(await talk([fails(429, "", { "retry-after": "0" }), fails(503), odd, broken, "Hi"])).toMatchObject({
      content: "Hi",
    });
    expect(endpoint!.asked).toHaveLength(5);
  });

  it("gives up with what the endpoint said, and that nothing is lost", async () => {
    await expect(talk([fails(500, "out of memory")], { retries: 2 })).rejects.toMatchObject({
      code: "io",
      message: expect.stringMatching(/500 .*out of memory, 3 times.*is kept/),
    });
  });

  it("does not try again where that cannot help, and says what may", async () => {
    await expect(talk([fails(401, `no such key: ${key}`)])).rejects.toMatchObject({
      code: "option",
      message: expect.stringContaining("--key-env"),
    });
    expect(endpoint!.asked).toHaveLength(1);
    await endpoint!.close();
    await expect(talk([fails(404)])).rejects.toThrow("--model");
    await endpoint!.close();
    await expect(talk([fails(302, "", { location: "http://elsewhere.example/" })])).rejects.toThrow(
      "http://elsewhere.example/",
    );
  });

  it("never shows the key, even when the endpoint does", async () => {
    await expect(talk([fails(400, `bad ${key}`)])).rejects.toThrow("bad ***");
    await endpoint!.close();
    expect(await talk([`your key is ${key}`])).toMatchObject({ content: "your key is ***" });
  });

  it("ends a reply that stalls, and one that is no reply", async () => {
    await expect(talk([stalls], { timeoutMs: 100, retries: 1 })).rejects.toMatchObject({
      code: "io",
      message: expect.stringMatching(/no whole reply within 0.1 s, 2 times.*--timeout/),
    });
    await endpoint!.close();
    await expect(talk([(response) => response.end('{"choices": []}')], { retries: 0 })).rejects.toMatchObject({
      code: "input",
      message: expect.stringContaining("choices[0].message.content"),
    });
    await endpoint!.close();
    await expect(talk([(response) => response.end("x".repeat(5_000_000))], { retries: 0 })).rejects.toThrow(
      "longer than 4000000 bytes",
    );
  });

  it("says so when nobody is there, and stops at the signal", async () => {
    await expect(chatClient({ endpoint: "http://127.0.0.1:1/v1", model: "m", retries: 0 })(request)).rejects.toThrow(
      /cannot be reached \(.+\); is it running/,
    );
    const stop = new AbortController();
    await expect(talk([() => stop.abort()], { signal: stop.signal })).rejects.toMatchObject({ code: "aborted" });
  });
});

describe("chatUrl", () => {
  it("takes a base address or all of it", () => {
    expect(chatUrl("http://h:1/v1/")).toBe("http://h:1/v1/chat/completions");
    expect(chatUrl("https://h/v1/chat/completions")).toBe("https://h/v1/chat/completions");
  });

  it("refuses what is no address, and hides a password in one", () => {
    expect(() => chatUrl("localhost")).toThrow("needs an address");
    expect(() => chatUrl("http://me:secret@h/v1")).toThrow(/^(?!.*secret)/);
  });
});
