import type { Evidence, Memory } from "@clara/core";
import { tinyTokenizer } from "@clara/model/testing";
import { describe, expect, it } from "vitest";
import type { ClaraGenerateOptions, ClaraGenerator, ClaraTask } from "./clara-generator.ts";
import { memoryGenerator } from "./memory-generator.ts";

/** Writes what it is told to, and keeps what it was asked. */
function writer(text: string): Pick<ClaraGenerator, "write"> & { tasks: ClaraTask[]; options: ClaraGenerateOptions } {
  const self = {
    tasks: [] as ClaraTask[],
    options: {} as ClaraGenerateOptions,
    async write(tasks: readonly ClaraTask[], options: ClaraGenerateOptions = {}) {
      self.tasks = [...tasks];
      self.options = options;
      const ids = [...tinyTokenizer.encode(text), tinyTokenizer.eosId];
      for (const id of ids) options.onToken?.(0, id);
      return [{ text, ids, ended: true, logProbability: Math.log(0.5) }];
    },
  };
  return self;
}

const memory = (first: number): Memory => ({
  ...{ rate: 4, count: 2, width: 1 },
  vectors: Float32Array.of(first, 0),
  tokens: Uint16Array.of(4, 4),
  spans: new Uint32Array(4),
});
const evidence: Evidence[] = [
  { id: "a", title: "", text: "a mill in the north", memory: memory(1), score: 0.6 },
  { id: "b", title: "", text: "no memory", score: 0.9 },
  { id: "c", title: "", text: "The mill stands by the lake.", memory: memory(2), score: 0.5 },
  { id: "d", title: "", text: "by the lake", memory: memory(3), score: 0.4 },
];
const ask = (generator: Pick<ClaraGenerator, "write">, options: object = {}, onToken?: (piece: string) => void) =>
  memoryGenerator({ generator, tokenizer: tinyTokenizer, documents: 2, ...options }).generate(
    { text: "where?" },
    evidence,
    { context: "memory", ...(onToken && { onToken }) },
  );

describe("memoryGenerator", () => {
  it("writes from the memories of the first evidence, and quotes where its words stand", async () => {
    const generator = writer(" by the lake");
    const pieces: string[] = [];
    const given = await ask(generator, { maxTokens: 9, temperature: 0.5, seed: 3 }, (piece) => pieces.push(piece));
    expect(generator.tasks).toEqual([
      { task: "answer", question: "where?", memories: [evidence[0]!.memory, evidence[2]!.memory] },
    ]);
    expect(generator.options).toMatchObject({ maxTokens: 9, temperature: 0.5, seed: 3 });
    expect(pieces).toEqual(["by", " the", " lake"]);
    const [used, other] = [evidence[0]!.text, evidence[2]!.text];
    expect(given).toEqual({
      answer: "by the lake",
      quotes: [{ evidence: "c", text: "by the lake", start: 16, end: 27 }],
      confidence: 0.5,
      margin: Math.log(0.5),
      tokens: { text: tinyTokenizer.encode(used).length + tinyTokenizer.encode(other).length, read: 0 },
    });
  });

  it("has no quote for words of its own, and none from evidence that it was not given", async () => {
    expect((await ask(writer("near water")))!.quotes).toEqual([]);
    expect((await ask(writer("by the lake"), { documents: 1 }))!.quotes).toEqual([]);
  });

  it("turns margin and support into a confidence where it has a fit", async () => {
    const confidence = { bias: 1, margin: 2, support: 1 };
    const score = 1 + 2 * Math.log(0.5) + Math.log(0.6 / 0.4);
    expect((await ask(writer("x"), { confidence }))!.confidence).toBeCloseTo(1 / (1 + Math.exp(-score)), 12);
  });

  it("gives null where there is no memory, and where nothing is written", async () => {
    const generator = memoryGenerator({ generator: writer("x"), tokenizer: tinyTokenizer });
    expect(await generator.generate({ text: "where?" }, [evidence[1]!], { context: "memory" })).toBeNull();
    expect(await ask(writer(" "))).toBeNull();
  });

  it("refuses other contexts, and stops before it begins", async () => {
    const generator = memoryGenerator({ generator: writer("x"), tokenizer: tinyTokenizer });
    await expect(generator.generate({ text: "where?" }, evidence, { context: "text" })).rejects.toMatchObject({
      code: "unsupported",
      message: "memoryGenerator: reads memories alone, got context text; use memory",
    });
    const options = { context: "memory", signal: AbortSignal.abort() } as const;
    await expect(generator.generate({ text: "where?" }, evidence, options)).rejects.toMatchObject({ code: "aborted" });
  });
});
