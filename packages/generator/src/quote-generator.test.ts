import { ClaraError, type Evidence, type Generator, type Memory } from "@clara/core";
import type { Encoder } from "@clara/model";
import { describe, expect, it } from "vitest";
import { letters } from "./letters.testing.ts";
import type { MemoryReader } from "./memory-reader.ts";
import { type QuoteGeneratorOptions, quoteGenerator } from "./quote-generator.ts";
import type { Span } from "./reader.ts";
import type { Pointed } from "./windows.ts";

/** An encoder that is a function of the id: "<" begins an answer, ">" ends one, "{" and "}" do so half as much; CLS gives 1. */
const marks: Record<number, [number, number]> = { 60: [4, 0], 62: [0, 4], 123: [2, 0], 125: [0, 2], 1: [0.5, 0.5] };
const encoder: Encoder = {
  width: 2,
  async run({ ids, shape: [B, T] }) {
    const states = new Float32Array(B * T * 2);
    for (const [t, id] of ids.entries()) states.set(marks[id] ?? [-5, -5], 2 * t);
    return states;
  },
  async dispose() {},
};
const head = { weight: Float32Array.from([1, 0, 0, 1]), bias: new Float32Array(2) };
const confidence = { bias: 0, margin: 1, support: 0 };
/** The generator with one window, no neighbours, and what a test is about. */
const quoting = (options: Partial<QuoteGeneratorOptions> = {}): Generator =>
  quoteGenerator({ encoder, head, tokenizer: letters, confidence, windows: 1, neighbours: 0, ...options });
const generator = quoting();

/** Two windows; the first vector points along x, the second along y. */
function memory(spans: number[]): Memory {
  return {
    rate: 8,
    count: 2,
    width: 2,
    vectors: Float32Array.from([1, 0, 0, 1]),
    tokens: Uint16Array.from([8, 8]),
    spans: Uint32Array.from(spans),
  };
}
function evidence(id: string, text: string, rest: Partial<Evidence> = {}): Evidence {
  return { id, title: "", text, score: 0.5, ...rest };
}
const ask = (given: readonly Evidence[], context: "text" | "mixed" | "memory", vector?: Float32Array) =>
  generator.generate({ text: "q", ...(vector && { vector }) }, given, { context });

describe("quoteGenerator", () => {
  it("answers with the best span, as a slice of its evidence, with the margin over no answer", async () => {
    const given = await ask([evidence("a", "no {weak} one"), evidence("b", "a <good> one")], "text");
    expect(given).toMatchObject({
      answer: "<good>",
      quotes: [{ evidence: "b", text: "<good>", start: 2, end: 8 }],
      margin: 7, // 4 + 4 for the span, ½ + ½ at CLS
      tokens: { text: 25, read: 25 },
    });
    expect(given!.confidence).toBeCloseTo(1 / (1 + Math.exp(-7)), 6);
  });

  it("shows a reader that knows titles each evidence under its own, and quotes none", async () => {
    const given = [evidence("a", "no {weak} one", { title: "<T>" }), evidence("b", "a {fair} one")];
    const titled = await quoting({ titled: true }).generate({ text: "q" }, given, { context: "text" });
    expect(titled).toMatchObject({ answer: "{weak}", tokens: { text: 25, read: 28 } });
    expect(await ask(given, "text")).toMatchObject({ answer: "{weak}", tokens: { text: 25, read: 25 } });
  });

  it("reads only the window that the memory points at, in mixed context", async () => {
    const text = "{first}  <second>";
    const given = [evidence("a", text, { memory: memory([0, 7, 9, 17]) })];
    expect(await ask(given, "mixed", Float32Array.from([1, 0]))).toMatchObject({
      answer: "{first}",
      tokens: { text: 17, read: 7 },
    });
    expect(await ask(given, "mixed", Float32Array.from([0, 1]))).toMatchObject({
      answer: "<second>",
      quotes: [{ start: 9, end: 17 }],
    });
  });

  it("lets the score of the evidence decide between spans that the reader likes alike", async () => {
    const [low, high] = [evidence("low", "<one>", { score: 0.2 }), evidence("high", "<two>", { score: 0.9 })];
    expect(await ask([low, high], "text")).toMatchObject({ answer: "<two>" });
    expect(await ask([high, { ...low, score: 0.95 }], "text")).toMatchObject({ answer: "<one>" });
  });

  it("streams the answer in pieces that join to it", async () => {
    const pieces: string[] = [];
    const given = await generator.generate({ text: "q" }, [evidence("a", "x <three short words> y")], {
      context: "text",
      onToken: (piece) => pieces.push(piece),
    });
    expect(pieces).toEqual(["<three", " short", " words>"]);
    expect(pieces.join("")).toBe(given!.answer);
  });

  it("has no answer where there is no text", async () => {
    expect(await ask([], "text")).toBeNull();
    expect(await ask([evidence("a", "")], "text")).toBeNull();
    expect(await ask([evidence("a", "<x>")], "mixed", Float32Array.from([1, 0]))).toBeNull();
  });

  it("says what is missing, and stops when told to", async () => {
    await expect(ask([evidence("a", "x")], "memory")).rejects.toThrow(
      /context memory needs a reader trained on memories/,
    );
    await expect(ask([evidence("a", "x")], "mixed")).rejects.toThrow(/needs the question's vector/);
    const stopped = generator.generate({ text: "q" }, [evidence("a", "x")], {
      context: "text",
      signal: AbortSignal.abort(),
    });
    await expect(stopped).rejects.toSatisfy((error) => error instanceof ClaraError && error.code === "aborted");
  });
});

/** A reader of memories that says what it is told, and remembers what it was asked. */
function saying({ windows = [], spans = [] }: { windows?: Pointed[]; spans?: Span[] }) {
  const asked: unknown[] = [];
  const reader: MemoryReader = {
    async windows(question, passages, overlap, { signal } = {}) {
      asked.push({ question, texts: passages.map(({ text }) => text), overlap, signal });
      return windows;
    },
    async point(question, passages, overlap, { answerTokens, signal } = {}) {
      asked.push({ question, texts: passages.map(({ text }) => text), overlap, answerTokens, signal });
      return spans;
    },
    async dispose() {},
  };
  return { asked, reader };
}

describe("quoteGenerator with a reader of memories", () => {
  const states = Float32Array.from([1, 2, 3, 4]);
  const overlap = () => 0;
  const spans = [0, 7, 9, 17];
  const noText: Encoder = {
    ...encoder,
    run: () => Promise.reject(new Error("context memory has encoded text")),
  };
  const given = [
    evidence("bare", "no memory here"),
    evidence("a", "{first}  <second>", { memory: memory(spans), score: 0.5 }),
    evidence("b", "third fourth", { memory: memory([0, 5, 6, 12]), score: 0.5 }),
  ];
  const span = (of: number, start: number, end: number, score: number, none = 1): Span => ({
    evidence: of,
    start,
    end,
    score,
    none,
  });

  it("answers from memories alone: the best of the spans it points at, and no text is read", async () => {
    const { asked, reader } = saying({ spans: [span(0, 1, 6, 3), span(1, 0, 5, 5), span(1, 6, 12, 4)] });
    const generator = quoting({ encoder: noText, memories: reader, answerTokens: 7 });
    const { signal } = new AbortController();
    const pieces: string[] = [];
    const found = await generator.generate({ text: "q", states }, given, {
      context: "memory",
      overlap,
      signal,
      onToken: (piece) => pieces.push(piece),
    });
    // The reader's second passage is the third evidence: the first has no memory.
    expect(found).toMatchObject({
      answer: "third",
      quotes: [{ evidence: "b", text: "third", start: 0, end: 5 }],
      margin: 4,
      tokens: { text: 14 + 17 + 12, read: 0 },
    });
    expect(pieces).toEqual(["third"]);
    expect(asked).toEqual([
      {
        question: { text: "q", states },
        texts: ["{first}  <second>", "third fourth"],
        overlap,
        answerTokens: 7,
        signal,
      },
    ]);
  });

  it("widens what is pointed at to whole words, and lets the evidence's score decide between equals", async () => {
    const { reader } = saying({ spans: [span(0, 2, 4, 4), span(1, 7, 9, 4)] });
    const generator = quoting({ encoder: noText, memories: reader });
    const ask = (score: number) =>
      generator.generate({ text: "q", states }, [given[1]!, { ...given[2]!, score }], { context: "memory" });
    expect(await ask(0.4)).toMatchObject({ answer: "first" });
    expect(await ask(0.6)).toMatchObject({ answer: "fourth" });
  });

  it("is as sure as answers from memories are, where that was measured apart", async () => {
    const { reader } = saying({ spans: [span(0, 1, 6, 3)] });
    const sure = async (options: Partial<QuoteGeneratorOptions>, context: "memory" | "text") => {
      const generator = quoting({ memories: reader, ...options });
      return (await generator.generate({ text: "q", states }, [given[1]!], { context }))!.confidence;
    };
    const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
    const memoryConfidence = { bias: -1, margin: 0.25, support: 0 };
    expect(await sure({ memoryConfidence }, "memory")).toBeCloseTo(sigmoid(2 * 0.25 - 1), 6);
    expect(await sure({}, "memory")).toBeCloseTo(sigmoid(2), 6);
    // The margin of "<second>" in the text is 7.
    expect(await sure({ memoryConfidence }, "text")).toBeCloseTo(sigmoid(7), 6);
  });

  it("has no answer from memories where nothing is pointed at", async () => {
    const generator = quoting({ encoder: noText, memories: saying({}).reader });
    expect(await generator.generate({ text: "q", states }, given, { context: "memory" })).toBeNull();
    expect(await generator.generate({ text: "q", states }, [], { context: "memory" })).toBeNull();
  });

  it("chooses windows by what the reader says of them, each evidence's its own", async () => {
    const vector = Float32Array.from([1, 0]);
    const zeros = new Float32Array(2);
    const { asked, reader } = saying({
      windows: [
        { none: 0, logits: Float32Array.from([0, 9]) },
        { none: 0, logits: zeros },
      ],
    });
    const generator = quoting({ memories: reader, pointerWeight: 0.5 });
    const query = { text: "q", vector, states };
    // By the vectors alone it would be "{first}".
    expect(await generator.generate(query, given, { context: "mixed", overlap })).toMatchObject({
      answer: "<second>",
      tokens: { read: 8 },
    });
    expect(asked).toMatchObject([
      { question: { text: "q", states }, texts: ["{first}  <second>", "third fourth"], overlap },
    ]);
    // Without states there is nothing to ask the reader with; text is read without it.
    expect(await generator.generate({ text: "q", vector }, given, { context: "mixed" })).toMatchObject({
      answer: "{first}",
    });
    expect(await generator.generate(query, given, { context: "text" })).toMatchObject({ answer: "<second>" });
    expect(asked).toHaveLength(1);
  });

  it("says that the question's states are missing", async () => {
    const generator = quoting({ memories: saying({}).reader });
    const query = { text: "q", vector: Float32Array.from([1, 0]) };
    await expect(generator.generate(query, given, { context: "memory" })).rejects.toMatchObject({
      code: "option",
      message: "quoteGenerator: context memory needs the question's states, got none",
    });
  });
});
