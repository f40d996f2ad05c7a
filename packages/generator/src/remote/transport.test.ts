import { ClaraError } from "@clara/core";
import { afterEach, describe, expect, it } from "vitest";
import { type RemoteModelOptions, type RemoteOptions, remoteModel } from "./completion.ts";
import {
  type Behaviour,
  chunk,
  completion,
  replies,
  type Server,
  startServer,
  streams,
  testClock,
} from "./server.testing.ts";

let server: Server | undefined;
afterEach(() => server?.close());

const apiKey = 'sk-"secret"-17';
const good = replies(completion("fine"));
const embeds = Float32Array.of(1, 2);

/** Asks with embeddings; the clock is a test's. */
async function ask(
  behaviours: readonly Behaviour[],
  asked: RemoteOptions = {},
  options: Partial<RemoteModelOptions> = {},
): Promise<string> {
  await server?.close();
  server = await startServer(...behaviours);
  const model = remoteModel({ endpoint: server.endpoint, model: "clara", apiKey, clock: testClock(), ...options });
  return (await model.embedded(embeds, 2, asked)).text;
}

/** The error of a request; it never shows the key, in no part of it. */
async function failure(...args: Parameters<typeof ask>): Promise<ClaraError> {
  const error = await ask(...args).catch((reason) => reason);
  expect(error).toBeInstanceOf(ClaraError);
  expect(`${error.stack} ${String(error.cause)}`).not.toContain("secret");
  return error;
}

const error = (status: number, message: string) => replies({ error: { message, code: status } }, status);

describe("a request to a remote model", () => {
  it("is tried again after 429, 502, 503, 504 and a broken connection, later each time", async () => {
    const clock = testClock();
    const busy = [429, 502, 503, 504].map((status) => error(status, "busy"));
    const broken: Behaviour = (response) => response.destroy();
    expect(await ask([...busy, broken, good], {}, { clock, retries: 5 })).toBe("fine");
    expect(clock.waits).toEqual([375, 750, 1500, 3000, 6000]); // 500 ms doubled, three quarters of it by this chance
    expect(server!.asked).toHaveLength(6);
    expect(server!.asked[5]).toEqual(server!.asked[0]);
    expect(server!.asked[5]!.headers.authorization).toBe(`Bearer ${apiKey}`);
  });

  it("waits as long as the endpoint says, in seconds or until a time", async () => {
    const clock = testClock();
    const until = (value: string) => replies("", 429, { "retry-after": value });
    const behaviours = [until("7"), until("Sat, 21 Nov 2026 12:00:20 GMT"), until("yesterday"), good];
    expect(await ask(behaviours, {}, { clock })).toBe("fine");
    expect(clock.waits).toEqual([7000, 20_000, 1500]);
    const { code, message } = await failure([until("3600")], {}, { clock });
    expect([code, message]).toEqual(["io", expect.stringMatching(/answered 429: .*asks to wait for 3600 s/)]);
    expect(clock.waits).toHaveLength(3);
  });

  it("is given up after the retries, with what the endpoint said", async () => {
    const { code, message } = await failure([error(503, "no engine")], {}, { retries: 2 });
    expect([code, message]).toEqual([
      "io",
      `remoteGenerator: ${server!.endpoint}/completions answered 503: no engine, after 3 tries; is it starting, or has it too much to do?`,
    ]);
    expect(server!.asked).toHaveLength(3);
  });

  it.each([
    [401, `no such key: ${JSON.stringify(apiKey)}`, "option", /no such key: .*\*\*\*.*check apiKey/],
    [403, `key ${apiKey} may not`, "option", /key \*\*\* may not; check apiKey/],
    [404, "The model `clara` does not exist.", "option", /it serves no model "clara"/],
    [404, "Not Found", "option", /check endpoint: it must end where/],
    [400, "You must set `--enable-prompt-embeds` to input `prompt_embeds`.", "unsupported", /start vLLM with --enable/],
    [400, "you must provide a prompt", "unsupported", /need vLLM 0.9 or later.*context text/],
    [
      400,
      "`prompt_embeds` hidden_size 2 does not match the model's hidden_size 64.",
      "input",
      /hidden_size 64.*the decoder that/,
    ],
    [400, "maximum context length is 9 tokens", "input", /answered 400: maximum context length is 9 tokens$/],
    [418, "no", "input", /answered 418: no$/],
    [413, "Payload too large", "input", /give fewer documents, or send the embeddings as F16/],
    [500, "EngineCore encountered an issue", "io", /answered 500.*look into its log; vLLM may answer so to embeddings/],
  ])("is not tried again after %i %s", async (status, said, code, words) => {
    const found = await failure([error(status, said), good]);
    expect([found.code, found.message]).toEqual([code, expect.stringMatching(words)]);
    expect(server!.asked).toHaveLength(1);
  });

  it.each([
    [413, "Payload too large", /: Payload too large; give fewer documents$/],
    [500, "Internal Server Error", /; look into its log; some answer so where they have no model "clara"$/],
  ])("speaks of no embeddings where none were sent: %i", async (status, said, words) => {
    server = await startServer(error(status, said));
    const model = remoteModel({ endpoint: server.endpoint, model: "clara", clock: testClock() });
    await expect(model.chat([])).rejects.toThrow(words);
  });

  it("shows what pages and other bodies say, without tags and cut", async () => {
    const html = `<html><style>b{}</style><h1>Bad\n gateway ${apiKey}</h1></html>`;
    expect((await failure([replies(html, 502)], {}, { retries: 0 })).message).toContain("502: Bad gateway ***;");
    const detail = [{ loc: ["body", "max_tokens"], msg: "too many" }];
    expect((await failure([replies({ detail }, 422)])).message).toContain('"max_tokens"],"msg":"too many"');
    expect((await failure([replies("x".repeat(290) + apiKey, 400)])).message).toMatch(/x{280}.*…$/);
    expect((await failure([replies("", 302, { location: "http://h/v2" })])).message).toContain("points to http://h/v2");
  });

  it("says that nobody is there", async () => {
    server = await startServer(good);
    const { endpoint } = server;
    await server.close();
    server = undefined;
    const clock = testClock();
    const found = await remoteModel({ endpoint, model: "m", apiKey, clock })
      .embedded(embeds, 2)
      .catch((reason) => reason);
    expect([found.code, found.message]).toEqual([
      "io",
      expect.stringMatching(/cannot be reached \(ECONNREFUSED\), after 4 tries; is it running/),
    ]);
    expect(clock.waits).toHaveLength(3);
  });

  it("ends when the endpoint does not begin to answer, or falls silent", async () => {
    const clock = testClock();
    const first = await failure([() => clock.ring()], {}, { clock });
    expect([first.code, first.message]).toEqual(["io", expect.stringContaining("did not begin to answer within 60 s")]);
    const pieces: string[] = [];
    const onToken = (piece: string): void => {
      pieces.push(piece);
      clock.ringAt(30_000);
    };
    const silent = await failure([streams([chunk("one")], () => {})], { onToken }, { clock });
    expect([silent.code, silent.message]).toEqual(["io", expect.stringContaining("sent nothing more for 30 s")]);
    expect([pieces, server!.asked.length, clock.waits]).toEqual([["one"], 1, []]);
  });

  it("stops at the signal: before, while it waits, and between tokens", async () => {
    expect((await failure([good], { signal: AbortSignal.abort() })).code).toBe("aborted");
    expect(server!.asked).toHaveLength(0);
    const stop = new AbortController();
    expect((await failure([() => stop.abort()], { signal: stop.signal })).code).toBe("aborted");
    const between = new AbortController();
    const pieces: string[] = [];
    const onToken = (piece: string) => {
      pieces.push(piece);
      between.abort();
    };
    const two = streams([chunk("one"), chunk("two")], () => {});
    expect((await failure([two], { signal: between.signal, onToken })).code).toBe("aborted");
    expect(pieces).toEqual(["one"]);
    const waiting = new AbortController();
    const clock = { ...testClock(), sleep: async () => waiting.abort() };
    expect((await failure([error(503, "busy"), good], { signal: waiting.signal }, { clock })).code).toBe("aborted");
    expect(server!.asked).toHaveLength(1);
  });

  it("lets an error of the caller's own through, once", async () => {
    const onToken = () => {
      throw new RangeError("mine");
    };
    await expect(ask([streams([chunk("one"), "[DONE]"])], { onToken })).rejects.toThrow(new RangeError("mine"));
    expect(server!.asked).toHaveLength(1);
  });
});

describe("an answer of a remote model", () => {
  const onToken = () => {};

  it("that breaks off is begun again only while nothing of it was given", async () => {
    const cut: Behaviour = (response) => response.destroy();
    const early = [streams([chunk(" ")], cut), streams([chunk("whole", "stop"), "[DONE]"])];
    expect(await ask(early, { onToken })).toBe("whole");
    const late = await failure([streams([chunk("half")], cut), good], { onToken });
    expect([late.code, late.message]).toEqual([
      "io",
      expect.stringMatching(/broke off in the middle of its answer \(/),
    ]);
    expect(server!.asked).toHaveLength(1);
  });

  it("that ends without an end is not taken for a whole one", async () => {
    const ended = await failure([streams([chunk("half")])], { onToken });
    expect([ended.code, ended.message]).toEqual([
      "io",
      expect.stringContaining("broke off in the middle of its answer, after 4"),
    ]);
    // vLLM ends requests so when it shuts down, and sends [DONE] all the same.
    const aborted = await failure([streams([chunk("half", "abort"), "[DONE]"])], { onToken });
    expect([aborted.code, aborted.message]).toEqual(["io", expect.stringContaining("finish_reason abort")]);
    const failed = await failure([streams([chunk("half"), { error: { message: "engine died" } }, "[DONE]"])], {
      onToken,
    });
    expect([failed.code, failed.message]).toEqual([
      "io",
      expect.stringContaining("failed while it answered: engine died"),
    ]);
    // Some endpoints leave [DONE] out.
    expect(await ask([streams([chunk("whole", "length")])], { onToken })).toBe("whole");
  });

  it.each([
    ["<html><title>Welcome</title></html>", /not JSON of OpenAI's protocol \(application\/json\): Welcome/],
    ["", /not JSON .*: \(nothing\)/],
    ["7", /not JSON of OpenAI's protocol .*: 7/],
    [{ object: "list", data: [] }, /without choices\[0\]\.text or content: \{"object"/],
    [{ choices: [] }, /without choices/],
    [{ choices: [{ text: 7 }] }, /without choices/],
    ["y".repeat(17 * 2 ** 20), /sent more than 16777216 bytes/],
  ])("of another shape is named and not asked for again: %j", async (body, words) => {
    const { code, message } = await failure([replies(body), good]);
    expect([code, message]).toEqual(["input", expect.stringMatching(words)]);
    expect(server!.asked).toHaveLength(1);
  });

  it("may be empty where a prompt of embeddings is ended at once, and not in a chat or cut", async () => {
    const empty = completion(" \n");
    expect(await ask([replies(empty)])).toBe("");
    expect(await ask([streams([chunk("", "stop"), "[DONE]"])], { onToken })).toBe("");
    const cut = { ...empty, choices: [{ text: "", finish_reason: "length" }] };
    expect((await failure([replies(cut)])).message).toContain("gave an empty answer (finish_reason length, 2 tokens)");
    await server?.close();
    server = await startServer(replies({ ...empty, choices: [{ message: { content: "" }, finish_reason: "stop" }] }));
    const model = remoteModel({ endpoint: server.endpoint, model: "clara", clock: testClock() });
    await expect(model.chat([])).rejects.toThrow("gave an empty answer (finish_reason stop, 2 tokens)");
  });

  it("that is no event of the protocol is named in a stream too", async () => {
    const { code, message } = await failure([streams(["{half"])], { onToken });
    expect([code, message]).toEqual([
      "input",
      expect.stringContaining("not JSON of OpenAI's protocol (text/event-stream): {half"),
    ]);
    expect((await failure([streams(["[DONE]"])], { onToken })).message).toContain("gave an empty answer");
  });
});

describe("the settings of a remote model", () => {
  const of = (options: Partial<RemoteModelOptions>) => () =>
    remoteModel({ endpoint: "http://h/v1", model: "m", ...options });

  it("take the address of a base, or all of it", async () => {
    const asked: string[] = [];
    const fetch = async (url: unknown) => {
      asked.push(String(url));
      return Response.json(completion("x"));
    };
    for (const endpoint of [
      "https://h/v1",
      "https://h/v1/",
      "https://h/v1/completions",
      "https://h/v1/chat/completions",
    ]) {
      await remoteModel({ endpoint, model: "m", fetch }).embedded(embeds, 2);
    }
    await remoteModel({ endpoint: "http://h:1", model: "m", fetch }).chat([]);
    expect(asked).toEqual([...Array(4).fill("https://h/v1/completions"), "http://h:1/chat/completions"]);
  });

  it("are refused when they cannot be meant, and secrets in them are not shown", () => {
    for (const endpoint of ["localhost", "ftp://h/v1", "http://me:secret@h/v1", "http://h/v1?key=secret"]) {
      expect(of({ endpoint })).toThrow(/^(?!.*secret)remoteGenerator: endpoint must be an address/);
    }
    expect(of({ apiKey: "secret\n" })).toThrow(/^(?!.*secret)remoteGenerator: apiKey must be printable/);
    expect(of({ model: "" })).toThrow("model must be the name");
    expect(of({ retries: -1 })).toThrow("retries must be 0 or more, got -1");
    expect(of({ idleTimeoutMs: Number.NaN })).toThrow("idleTimeoutMs must be 0 or more, got NaN");
    expect(of({ temperature: -1 })).toThrow("got 128 and -1");
  });
});
