import type { Evidence, GenerateOptions, Memory } from "@clara/core";
import { haveFixtures, readCheckpoint, readJson, tinyTokenizer } from "@clara/model/testing";
import { afterEach, describe, expect, it } from "vitest";
import { tableRows } from "./prompt-embeddings.ts";
import {
  claraMemoryPrompt,
  type MemoryPrompt,
  type RemoteGeneratorOptions,
  remoteGenerator,
} from "./remote-generator.ts";
import {
  type Behaviour,
  chunk,
  completion,
  readPromptEmbeds,
  replies,
  type Server,
  startServer,
  streams,
  testClock,
} from "./server.testing.ts";

let server: Server | undefined;
afterEach(() => server?.close());

// Words 0 to 4 as [id, -id]; memory tokens 5 and 6, separator 7. A question is as many tokens of 3 as it has letters.
const prompt: MemoryPrompt = {
  ids: (question, documents) => [1, ...Array(documents).fill([5, 6, 7]).flat(), ...Array(question.length).fill(3)],
  row: tableRows({ shape: [8, 2], data: Float32Array.from({ length: 16 }, (_, i) => (i % 2 ? -1 : 1) * (i >> 1)) }),
  count: (text) => text.split(" ").length,
  width: 2,
  memoryTokens: 2,
  firstMemoryId: 5,
};

function memory(...vectors: number[]): Memory {
  const count = vectors.length / 2;
  const tokens = new Uint16Array(count).fill(16);
  return { rate: 16, count, width: 2, vectors: Float32Array.from(vectors), tokens, spans: new Uint32Array(2 * count) };
}

const evidence: Evidence[] = [
  { id: "tents", title: "Tents", text: "The Skarrow 2 weighs 2.15 kg.", score: 0.5, memory: memory(10, 11, 12, 13) },
  { id: "returns", title: "", text: "Unworn jackets within 30 days.", score: 0.9, memory: memory(1 / 3, 21, 22, 23) },
];

async function ask(
  behaviour: Behaviour,
  { context = "memory", ...given }: Partial<GenerateOptions> = {},
  options: Partial<RemoteGeneratorOptions> = {},
  about: readonly Evidence[] = evidence,
) {
  server = await startServer(behaviour);
  const { endpoint } = server;
  const generator = remoteGenerator({ endpoint, model: "clara", prompt, clock: testClock(), ...options });
  return generator.generate({ text: "ab" }, about, { context, ...given });
}

describe("remoteGenerator from memories", () => {
  it("sends the prompt as embeddings with the memories in their places, and no prompt", async () => {
    await ask(replies(completion(" 30 days")));
    const [{ path, headers, body }] = server!.asked as [Server["asked"][0]];
    expect([path, headers["content-type"], headers.authorization]).toEqual([
      "/v1/completions",
      "application/json",
      undefined,
    ]);
    const { prompt_embeds, ...rest } = body;
    expect(rest).toEqual({ model: "clara", max_tokens: 128, temperature: 0, logprobs: 1, stream: false });
    const rows = [1, -1, 10, 11, 12, 13, 7, -7, 1 / 3, 21, 22, 23, 7, -7, 3, -3, 3, -3];
    expect(readPromptEmbeds(prompt_embeds)).toEqual({ dtype: "F32", shape: [9, 2], data: Float32Array.from(rows) });
  });

  it.each([
    ["F16", 0.333251953125],
    ["BF16", 0.333984375],
  ] as const)("sends %s, temperature, seed, length and ends where asked for", async (dtype, third) => {
    const options = { dtype, temperature: 0.7, seed: 9, maxTokens: 5, stop: ["\n"], logprobs: false };
    await ask(replies(completion("x")), {}, options);
    const { prompt_embeds, ...rest } = server!.asked[0]!.body;
    expect(rest).toEqual({
      model: "clara",
      max_tokens: 5,
      temperature: 0.7,
      seed: 9,
      stop: ["\n"],
      stream: false,
    });
    const tensor = readPromptEmbeds(prompt_embeds);
    expect([tensor.dtype, tensor.shape, tensor.data[8]]).toEqual([dtype, [9, 2], third]);
  });

  it("has no answer where the model ends at once", async () => {
    const nothing = { choices: [{ text: "", finish_reason: "stop" }] };
    expect(await ask(replies(nothing))).toBeNull();
  });

  it("gives the answer, where it stands in the evidence, and how probable its tokens were", async () => {
    const generated = await ask(replies(completion("\n 30  DAYS. ", [-0.5, -0.1])));
    expect(generated).toEqual({
      answer: "30  DAYS.",
      quotes: [{ evidence: "returns", text: "30 days", start: 22, end: 29 }],
      confidence: Math.exp(-0.3),
      margin: -0.3,
      tokens: { text: 11, read: 0 },
    });
  });

  it("takes confidence from a fit, or from the evidence where the endpoint gives no probabilities", async () => {
    const fitted = await ask(replies(completion("4 weeks")), {}, { confidence: { bias: 0.3, margin: 1, support: 0 } });
    expect(fitted).toMatchObject({ confidence: 0.5, quotes: [] });
    await server!.close();
    expect(await ask(replies({ choices: [{ text: "yes" }] }))).toMatchObject({
      confidence: 0.9,
      margin: 0,
      quotes: [],
    });
  });

  it("streams pieces that join to the answer", async () => {
    const pieces: string[] = [];
    const events = [chunk(" "), chunk(" 30"), chunk(" "), chunk("days"), chunk(" \n", "stop")];
    const usage = { choices: [], usage: { prompt_tokens: 9, completion_tokens: 5 } };
    const generated = await ask(streams([...events, usage, "[DONE]"]), { onToken: (piece) => pieces.push(piece) });
    expect(generated).toMatchObject({ answer: "30 days", margin: -0.25 });
    expect(pieces).toEqual(["30", " days"]);
    expect(server!.asked[0]!.body).toMatchObject({ stream: true, stream_options: { include_usage: true } });
  });

  it("gives null without memories, and leaves out evidence that has none", async () => {
    const { memory: _, ...bare } = evidence[0]!;
    expect(await ask(replies({}), {}, {}, [bare])).toBeNull();
    expect(server!.asked).toEqual([]);
    await server!.close();
    await ask(replies(completion("30 days")), {}, {}, [bare, evidence[1]!]);
    expect(readPromptEmbeds(server!.asked[0]!.body.prompt_embeds).shape).toEqual([6, 2]);
  });

  it("refuses memories of another model, and what it cannot do, before it asks", async () => {
    const other = { ...evidence[0]!, memory: memory(1, 2) };
    await expect(ask(replies({}), {}, {}, [other])).rejects.toMatchObject({
      code: "shape",
      message: 'remoteGenerator: memories must be [2, 2], got [1, 2] of "tents"',
    });
    for (const [given, options, words] of [
      [{ context: "mixed" }, {}, "does not do context mixed"],
      [{ context: "memory" }, { prompt: undefined }, "does not do context memory without prompt"],
    ] as const) {
      await server!.close();
      await expect(ask(replies({}), given, options)).rejects.toMatchObject({
        code: "unsupported",
        message: expect.stringContaining(words),
      });
    }
    await server!.close();
    await expect(ask(replies({}), { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
    expect(server!.asked).toEqual([]);
    const model = { endpoint: "http://h/v1", model: "m" };
    expect(() => remoteGenerator({ ...model, maxTokens: 0 })).toThrow("maxTokens must be at least 1");
  });
});

describe("remoteGenerator from text", () => {
  const said = (content: unknown, finish: string | null = null) => ({
    choices: [{ delta: { content }, finish_reason: finish, logprobs: { content: [{ logprob: -0.4 }] } }],
  });

  it("sends titles, texts and the question as a chat", async () => {
    const message = { role: "assistant", content: "2.15 kg" };
    const reply = { choices: [{ message, finish_reason: "stop", logprobs: null }], usage: { prompt_tokens: 50 } };
    expect(await ask(replies(reply), { context: "text" })).toMatchObject({
      answer: "2.15 kg",
      quotes: [{ evidence: "tents", text: "2.15 kg", start: 21, end: 28 }],
      tokens: { text: 50, read: 50 },
    });
    const { path, body } = server!.asked[0]!;
    expect([path, body.logprobs, body.prompt_embeds]).toEqual(["/v1/chat/completions", true, undefined]);
    expect(body.messages[1].content).toBe(
      "Background:\nTents\nThe Skarrow 2 weighs 2.15 kg.\n\nUnworn jackets within 30 days.\n\nQuestion:ab",
    );
  });

  it("streams a chat, takes messages of the caller, and a whole reply where a stream was asked for", async () => {
    const pieces: string[] = [];
    const onToken = (piece: string) => void pieces.push(piece);
    const messages = (question: string) => [{ role: "user", content: `${question}?` }] as const;
    const events = [said(""), { choices: [{ delta: { role: "assistant" } }] }, said("2.15"), said(" kg", "stop")];
    const generated = await ask(streams([...events, "[DONE]"]), { context: "text", onToken }, { messages });
    expect(generated).toMatchObject({ answer: "2.15 kg", margin: expect.closeTo(-0.4, 12) });
    expect(server!.asked[0]!.body.messages).toEqual([{ role: "user", content: "ab?" }]);
    await server!.close();
    await ask(replies({ choices: [{ message: { content: "whole" } }] }), { context: "text", onToken });
    expect(pieces).toEqual(["2.15", " kg", "whole"]);
  });
});

describe("an endpoint with ways of its own", () => {
  it("is asked in them from then on: without probabilities, with max_completion_tokens", async () => {
    const refuses = (message: string) => replies({ error: { message } }, 400);
    server = await startServer(
      refuses("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
      refuses("logprobs are not supported with this model"),
      replies({ choices: [{ message: { content: "2.15 kg" } }] }),
    );
    const { endpoint, asked } = server;
    const generator = remoteGenerator({ endpoint, model: "m", clock: testClock(), maxTokens: 9 });
    for (let i = 0; i < 2; i++) {
      expect(await generator.generate({ text: "ab" }, evidence, { context: "text" })).toMatchObject({ margin: 0 });
    }
    expect(asked.map(({ body }) => [body.max_tokens, body.max_completion_tokens, body.logprobs])).toEqual([
      [9, undefined, true],
      [undefined, 9, true],
      [undefined, 9, undefined],
      [undefined, 9, undefined],
    ]);
    await server.close();
    await expect(ask(refuses("no logprobs, never"), { context: "text" })).rejects.toThrow("no logprobs, never");
    expect(server!.asked).toHaveLength(2);
  });
});

interface Call {
  readonly call: string;
  readonly checkpoint: string;
  readonly questions: readonly string[];
  readonly documents: readonly (readonly string[])[];
  readonly dec_input_ids: readonly (readonly number[])[];
  readonly dec_attention_mask: readonly (readonly number[])[];
}

describe("claraMemoryPrompt", () => {
  const row = () => undefined;

  it("gives a prompt with whole places, whatever the question says", () => {
    const { firstMemoryId: first } = tinyTokenizer;
    const render = (messages: readonly { content: string }[]) => messages.map(({ content }) => content).join("\n");
    const { ids, count, ...rest } = claraMemoryPrompt({ tokenizer: tinyTokenizer, render, row, width: 16 });
    expect(count("a <MEM0> b")).toBe(10); // letters and bytes, no control token
    expect(rest).toEqual({ row, width: 16, memoryTokens: 2, firstMemoryId: first });
    const memoryIds = ids("what is <MEM0></s>", 2).filter((id) => id >= first && id < first + 2);
    expect(memoryIds).toEqual([first, first + 1, first, first + 1]);
    const short = claraMemoryPrompt({ tokenizer: tinyTokenizer, render, row, width: 16, promptTokens: 9 });
    expect(() => short.ids("why", 1)).toThrow("longer than 9 tokens");
  });

  it.skipIf(!haveFixtures)("is the reference's prompt (needs ../shared/fixtures)", () => {
    const asked = readJson<Call[]>("generation.json").filter(({ call }) => call === "generate_from_text");
    expect(asked.length).toBeGreaterThan(3);
    for (const { checkpoint, questions, documents, dec_input_ids, dec_attention_mask } of asked) {
      const { tokenizer, render, decoder } = readCheckpoint(checkpoint);
      const { ids } = claraMemoryPrompt({ tokenizer, render, row, width: decoder.width });
      for (const [i, question] of questions.entries()) {
        const prompt = dec_input_ids[i]!.slice(dec_attention_mask[i]!.indexOf(1));
        expect(ids(question, documents[i]!.length)).toEqual(prompt);
      }
    }
  });
});
