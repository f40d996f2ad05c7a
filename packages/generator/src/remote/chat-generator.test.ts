import type { Evidence, GenerateOptions } from "@clara/core";
import { afterEach, describe, expect, it } from "vitest";
import { type ChatGeneratorOptions, chatGenerator } from "./chat-generator.ts";
import { type Behaviour, replies, type Server, startServer, streams, testClock } from "./server.testing.ts";

let server: Server | undefined;
afterEach(() => server?.close());

const evidence: Evidence[] = [
  { id: "tents", title: "Tents", text: "The Skarrow 2 weighs 2.15 kg. It comes with 14 pegs.", score: 0.5 },
  { id: "returns", title: "", text: "Unworn jackets within 30 days. Keep the receipt.", score: 0.9 },
  { id: "blank", title: "Nothing", text: " \n", score: 0.1 },
];
/** The second sentence of the first, the first of the second. */
const fragments = async () => [
  { evidence: 0, start: 30, end: 52 },
  { evidence: 1, start: 0, end: 30 },
];
const words = (text: string): number => text.match(/\S+/g)?.length ?? 0;

async function ask(
  behaviour: Behaviour,
  { context = "mixed", ...given }: Partial<GenerateOptions> = {},
  options: Partial<ChatGeneratorOptions> = {},
  about: readonly Evidence[] = evidence,
) {
  server = await startServer(behaviour);
  const { endpoint } = server;
  const generator = chatGenerator({ endpoint, model: "m", fragments, count: words, clock: testClock(), ...options });
  return generator.generate({ text: "How many pegs?" }, about, { context, ...given });
}

function says(content: string, logprob?: number): Behaviour {
  const logprobs = logprob === undefined ? null : { content: [{ logprob }] };
  return replies({ choices: [{ message: { content }, finish_reason: "stop", logprobs }] });
}

const sent = (): { system: string; user: string } => {
  const [system, user] = server!.asked[0]!.body.messages;
  return { system: system.content, user: user.content };
};

describe("chatGenerator", () => {
  it("sends the chosen windows, each under its title, and the question", async () => {
    await ask(says("14"));
    expect(server!.asked[0]!.path).toBe("/v1/chat/completions");
    expect(sent().user).toBe(
      "Document 1: Tents\nIt comes with 14 pegs.\n\nDocument 2\nUnworn jackets within 30 days.\n\nQuestion: How many pegs?",
    );
    expect(sent().system).toMatch(/Quote: .*\n.*The documents do not have the answer\.\n/s);
  });

  it("quotes by offsets into the whole text, and counts what was read of it", async () => {
    const pieces: string[] = [];
    const generated = await ask(says('14 pegs\nQuote: "It comes with 14 pegs"', -0.5), {
      onToken: (piece) => pieces.push(piece),
    });
    expect(generated).toEqual({
      answer: "14 pegs",
      quotes: [{ evidence: "tents", text: "It comes with 14 pegs", start: 30, end: 51 }],
      confidence: Math.exp(-0.5),
      margin: -0.5,
      tokens: { text: 19, read: 10 },
    });
    expect(evidence[0]!.text.slice(30, 51)).toBe("It comes with 14 pegs");
    expect(pieces).toEqual(["14", " pegs"]);
  });

  it("finds no quote in text that was not sent", async () => {
    expect(await ask(says('2.15 kg\nQuote: "weighs 2.15 kg"'))).toMatchObject({ answer: "2.15 kg", quotes: [] });
  });

  it("sends whole texts, but those without a word, for context text", async () => {
    const generated = await ask(says("2.15 kg"), { context: "text" });
    expect(generated).toMatchObject({ quotes: [{ text: "2.15 kg" }], confidence: 0.9, tokens: { text: 19, read: 19 } });
    expect(sent().user).toContain(`Tents\n${evidence[0]!.text}\n\nDocument 2\n${evidence[1]!.text}\n\nQuestion`);
  });

  it("says that the model found no answer, and how much it has read for that", async () => {
    const generated = await ask(says("The documents do not have the answer.", -0.1));
    expect(generated).toMatchObject({ declined: true, confidence: 0, quotes: [], tokens: { read: 10 } });
  });

  it("tells the model who it is and how it sounds", async () => {
    await ask(says("14"), {}, { persona: "a librarian", tone: "dry" });
    expect(sent().system).toMatch(/^You are a librarian\.\n.*\nTone of the answer: dry\.$/s);
  });

  it("reads streams, and sets an answer apart from its thinking", async () => {
    const said = (content: string, finish: string | null = null) => ({
      choices: [{ delta: { content }, finish_reason: finish }],
    });
    const thinking = [said("<think>14"), said(" pegs?</think>"), said("\n14", "stop"), "[DONE]"];
    expect(await ask(streams(thinking))).toMatchObject({ answer: "14" });
    await server!.close();
    await expect(ask(streams([said("<think>so", "length"), "[DONE]"]))).rejects.toMatchObject({
      code: "input",
      message: expect.stringMatching(/^chatGenerator: the model was still thinking .*length.*more tokens/),
    });
  });

  it("asks nothing where there is nothing to read", async () => {
    expect(await ask(says("x"), {}, { fragments: async () => [] })).toBeNull();
    await server!.close();
    expect(await ask(says("x"), { context: "text" }, {}, [evidence[2]!])).toBeNull();
    expect(server!.asked).toEqual([]);
  });

  it("refuses contexts that it cannot do, and stops when told to", async () => {
    await expect(ask(says("x"), { context: "memory" })).rejects.toMatchObject({ code: "unsupported" });
    await server!.close();
    await expect(ask(says("x"), {}, { fragments: undefined })).rejects.toThrow("does not do context mixed without");
    await server!.close();
    await expect(ask(says("x"), { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
    expect(server!.asked).toEqual([]);
  });

  it("calls things as its caller does, in errors too", async () => {
    const words = {
      name: "answering",
      key: "the key in SECRET",
      model: "generator.model",
      address: "url",
      patience: "timeout",
    };
    const failure = (behaviour: Behaviour) => ask(behaviour, {}, { says: words }).catch(({ message }) => message);
    expect(await failure(replies("no", 401))).toMatch(
      /^answering: http.* answered 401: no; check the key in SECRET, and/,
    );
    await server!.close();
    expect(await failure(replies("no model", 404))).toContain('it serves no generator.model "m"');
    await server!.close();
    expect(await failure(replies("Not Found", 404))).toContain("check url: it must end");
    expect(() => chatGenerator({ endpoint: "x", model: "m", count: () => 0, says: words })).toThrow(
      /^answering: url must be/,
    );
  });
});
