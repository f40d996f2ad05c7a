import { createEngine, type Engine, type Params } from "@clara/engine";
import { tinyAdapter, tinyBase, tinyConfig, tinyRender, tinyTokenizer } from "@clara/model/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answerFromCandidates, answerFromDocuments, type ClaraModel, paraphrase } from "./answers.ts";
import { claraGenerator, type GivenMemory } from "./clara-generator.ts";
import { rankMemories } from "./rank-memories.ts";
import { generateFromParaphrase, generateFromQuestions, generateFromText } from "./reference-names.ts";
import { textReader } from "./text-reader.testing.ts";

const sizes = { decoder: tinyConfig, tokenizer: tinyTokenizer, render: tinyRender, documentTokens: 24 };
const maxTokens = 6;

let engine: Engine;
let base: Params;
let adapter: Params;
let model: ClaraModel & { compressor: Awaited<ReturnType<typeof textReader>> };
beforeAll(async () => {
  engine = await createEngine({ prefer: "compiled", threads: 1 });
  base = await engine.params(tinyBase);
  adapter = await engine.params(tinyAdapter(4));
  model = {
    generator: await claraGenerator(engine, { ...sizes, base, adapter }),
    compressor: await textReader(engine, { ...sizes, base, compressor: tinyAdapter(2), query: tinyAdapter(3) }),
  };
});
afterAll(() => engine.dispose());

const questions = ["who?", "when was it?", "b"];
const documents = [["a lake", "a town"], ["a mill"], ["a", "b", "c", "d"]];

async function memoriesOf(lists: readonly (readonly string[])[]): Promise<GivenMemory[][]> {
  return Promise.all(lists.map(async (list) => [...(await model.compressor.compress(list)).memories]));
}

describe("claraGenerator", () => {
  it("hands on to the engine how packed weights are copied and multiplied", async () => {
    const asked: unknown[] = [];
    const listening: Pick<Engine, "decoder"> = {
      decoder: (options) => {
        asked.push([options.prepack, options.roundInputs]);
        return engine.decoder(options);
      },
    };
    for (const options of [{}, { prepack: false, roundInputs: false }] as const) {
      const generator = await claraGenerator(listening, { ...sizes, base, adapter, ...options });
      await generator.dispose();
    }
    expect(asked).toEqual([
      ["packed", undefined],
      [false, false],
    ]);
  });
});

describe("answerFromDocuments", () => {
  it("gives questions with different numbers of documents what they get alone, drawn or not", async () => {
    for (const sampling of [{}, { temperature: 0.9, topP: 0.9, seed: 5 }]) {
      const options = { maxTokens, ...sampling };
      const { answers } = await answerFromDocuments(model, questions, documents, options);
      expect(answers.map(({ ids }) => ids.length > 0 && ids.length <= maxTokens)).toEqual([true, true, true]);
      for (const [i, question] of questions.entries()) {
        const alone = await answerFromDocuments(model, [question], [documents[i]!], options);
        const { logProbability, ...same } = answers[i]!;
        expect(alone.answers).toMatchObject([same]);
        expect(alone.answers[0]!.logProbability).toBeCloseTo(logProbability, 5);
      }
    }
  });

  it("reads memories that are given, in the place of texts or beside them, without a compressor where all are", async () => {
    const { answers } = await answerFromDocuments(model, questions, documents, { maxTokens });
    const memories = await memoriesOf(documents);
    const { generator } = model;
    expect((await answerFromDocuments({ generator }, questions, memories, { maxTokens })).answers).toEqual(answers);
    const mixed = [[memories[0]![0]!, "a town"], memories[1]!, memories[2]!];
    expect((await answerFromDocuments(model, questions, mixed, { maxTokens })).answers).toEqual(answers);
    await expect(answerFromDocuments({ generator }, questions, mixed)).rejects.toMatchObject({
      code: "option",
      message: expect.stringMatching(/^answerFromDocuments: documents are given as texts, and the model has none/),
    });
  });

  it("depends on the documents, their order and the question", async () => {
    const of = async (question: string, ...list: string[]) =>
      (await answerFromDocuments(model, [question], [list], { maxTokens: 24, temperature: 1 })).answers[0]!.ids.join();
    const all = [
      await of("who?", "a lake", "a town"),
      await of("who?", "a town", "a lake"),
      await of("b", "a lake", "a town"),
    ];
    expect(new Set(all).size).toBe(3);
  });

  it("draws by its temperature and seed, which the reference takes and ignores", async () => {
    const of = async (temperature: number, seed: number) =>
      (await answerFromDocuments(model, ["who?"], [["a lake"]], { maxTokens: 12, temperature, seed })).answers[0]!.ids;
    expect(await of(1, 1)).toEqual(await of(1, 1));
    expect(await of(1, 1)).not.toEqual(await of(1, 2));
    expect(await of(0, 1)).toEqual(await of(0, 2));
  });

  it("says how probable its tokens were: less where they are drawn, and the same of every beginning", async () => {
    const of = async (maxTokens: number, temperature = 0) =>
      (await answerFromDocuments(model, ["who?"], [["a lake"]], { maxTokens, temperature })).answers[0]!.logProbability;
    const first = await of(1);
    expect(first).toBeLessThan(0);
    // The most probable of so many ids has at least its share.
    expect(first).toBeGreaterThan(-Math.log(tinyTokenizer.size));
    expect(2 * (await of(2))).toBeLessThan(first);
    expect(await of(6, 2)).toBeLessThan(await of(6));
  });

  it("ends with the ids that stop it, and says whether it did", async () => {
    const [whole] = (await answerFromDocuments(model, ["who?"], [["a lake"]], { maxTokens })).answers;
    expect(whole!.ended).toBe(false);
    const stop = [whole!.ids[2]!];
    const [cut] = (await answerFromDocuments(model, ["who?"], [["a lake"]], { maxTokens, stop })).answers;
    expect(cut).toMatchObject({ ids: whole!.ids.slice(0, whole!.ids.indexOf(stop[0]!) + 1), ended: true });
  });

  it("gives tokens as they come, and stops when its signal fires", async () => {
    const seen: number[][] = [[], [], []];
    const onToken = (row: number, id: number) => void seen[row]!.push(id);
    const { answers } = await answerFromDocuments(model, questions, documents, { maxTokens, onToken });
    expect(seen).toEqual(answers.map(({ ids }) => ids));
    const stop = new AbortController();
    const options = { maxTokens: 1000, signal: stop.signal, onToken: () => stop.abort() };
    await expect(answerFromDocuments(model, questions, documents, options)).rejects.toMatchObject({ code: "aborted" });
  });

  it("says which texts were cut", async () => {
    const lists = [
      ["a", "long one"],
      [(await memoriesOf([["m"]]))[0]![0]!, "b", "long two"],
    ];
    const { cut } = await answerFromDocuments(model, ["x", "y"], lists, { maxTokens: 1 });
    expect(cut).toEqual([
      { question: 0, document: 1, lostTokens: 3 },
      { question: 1, document: 2, lostTokens: 3 },
    ]);
  });

  it("names what does not fit", async () => {
    await expect(answerFromDocuments(model, ["x"], [])).rejects.toThrow(
      "answerFromDocuments: there must be a list of documents for each of 1 questions, got 0",
    );
    await expect(answerFromDocuments(model, ["x", "y"], [["a"], []])).rejects.toMatchObject({
      code: "input",
      message: "clara: task 1: there is no document; without one nothing can be answered",
    });
    await expect(answerFromDocuments(model, ["x"], [[{ vectors: new Float32Array(16) }]])).rejects.toMatchObject({
      code: "shape",
      message: "clara: task 0: memories of this model have 2 vectors of 16 numbers, 32 in all, got 16",
    });
    expect((await answerFromDocuments(model, [], [])).answers).toEqual([]);
  });
});

describe("answerFromCandidates", () => {
  it("answers from the documents closest to the question, best first, and says which", async () => {
    const { answers } = await answerFromCandidates(model, ["b"], [["a", "b", "c", "d"]], { maxTokens, selected: 2 });
    const [query] = (await model.compressor.query(["b"])).queries;
    const memories = (await memoriesOf([["a", "b", "c", "d"]]))[0]!;
    const best = rankMemories(
      query!,
      memories.map(({ vectors }) => vectors),
    ).slice(0, 2);
    expect(answers[0]!.documents).toEqual(best);
    const chosen = best.map(({ index }) => memories[index]!);
    const direct = await answerFromDocuments(model, ["b"], [chosen], { maxTokens });
    expect(direct.answers).toEqual([expect.objectContaining({ text: answers[0]!.text, ids: answers[0]!.ids })]);
  });

  it("takes lists of different length and fewer candidates than asked for, where the reference fails or mixes them", async () => {
    const { answers } = await answerFromCandidates(model, questions, documents, { maxTokens, selected: 3 });
    expect(answers.map((answer) => answer.documents.length)).toEqual([2, 1, 3]);
    for (const [i, question] of questions.entries()) {
      const alone = await answerFromCandidates(model, [question], [documents[i]!], { maxTokens, selected: 3 });
      const { logProbability: _, ...same } = answers[i]!;
      expect(alone.answers).toMatchObject([same]);
    }
  });

  it("forgets what an earlier call asked for: k is of each call, where the reference keeps it", async () => {
    const all = [documents[2]!];
    const of = async (selected?: number) =>
      (await answerFromCandidates(model, ["b"], all, { maxTokens: 1, ...(selected && { selected }) })).answers[0]!
        .documents.length;
    expect([await of(), await of(1)]).toEqual([4, 1]);
    await answerFromDocuments(model, ["b"], [["a", "b", "c"]], { maxTokens: 1 });
    expect(await of()).toBe(4);
  });

  it("chooses among memories without their texts, and keeps equal ones in order", async () => {
    const [[memory]] = (await memoriesOf([["a lake"]])) as [[GivenMemory]];
    const { answers, cut } = await answerFromCandidates(model, ["long question"], [[memory, memory, memory]], {
      maxTokens: 1,
      selected: 2,
    });
    expect(answers[0]!.documents.map(({ index }) => index)).toEqual([0, 1]);
    expect(cut).toEqual([{ question: 0, document: undefined, lostTokens: 3 }]);
  });

  it("names what does not fit", async () => {
    const { generator } = model;
    await expect(answerFromCandidates(model, ["x"], [["a"]], { selected: 0 })).rejects.toThrow(
      "answerFromCandidates: selected must be an integer of at least 1, got 0",
    );
    await expect(answerFromCandidates({ generator }, ["x"], [["a"]])).rejects.toThrow(
      /questions are read by the compressor/,
    );
    await expect(answerFromCandidates(model, ["x"], [[{ vectors: new Float32Array(3) }]])).rejects.toThrow(
      "answerFromCandidates: question 0: memories of this model have 32 numbers, got 3",
    );
  });
});

describe("paraphrase", () => {
  it("writes the same each time, where the reference draws an instruction", async () => {
    const lists = [["a lake"], ["a town", "a mill"]];
    const { answers } = await paraphrase(model, lists, { maxTokens });
    expect((await paraphrase(model, lists, { maxTokens, instruction: 1 })).answers).toEqual(answers);
    const { answers: other } = await paraphrase(model, lists, { maxTokens: 12, instruction: [1, 4] });
    expect(other[0]!.ids.slice(0, maxTokens)).toEqual(answers[0]!.ids);
    expect(other[1]!.ids.slice(0, maxTokens)).not.toEqual(answers[1]!.ids);
  });

  it("names an instruction that there is not", async () => {
    await expect(paraphrase(model, [["a"]], { instruction: 13 })).rejects.toThrow(
      "clara: task 0: instruction must be a whole number from 0 to 12, got 13",
    );
    await expect(paraphrase(model, [["a"]], { instruction: [1, 2] })).rejects.toThrow(
      /an instruction for each of 1 lists, got 2/,
    );
  });
});

describe("the reference's names", () => {
  it("are the same functions", async () => {
    expect(generateFromText).toBe(answerFromDocuments);
    expect(generateFromQuestions).toBe(answerFromCandidates);
    const { answers } = await generateFromParaphrase(model, ["not read"], [["a lake"]], { maxTokens });
    expect(answers).toEqual((await paraphrase(model, [["a lake"]], { maxTokens })).answers);
  });
});

describe("claraGenerator", () => {
  it("computes the same with a base that is copied and prepacked", async () => {
    const own = await claraGenerator(engine, { ...sizes, base, adapter, prepack: true });
    const { answers } = await answerFromDocuments(model, questions, documents, { maxTokens });
    const copied = await answerFromDocuments({ ...model, generator: own }, questions, documents, { maxTokens });
    expect(copied.answers.map(({ ids }) => ids)).toEqual(answers.map(({ ids }) => ids));
    await own.dispose();
  });

  it("refuses impossible numbers and a base without the added tokens", async () => {
    await expect(claraGenerator(engine, { ...sizes, base, adapter, promptTokens: 0 })).rejects.toThrow(
      "claraGenerator: promptTokens must be an integer of at least 1, got 0",
    );
    const { words } = tinyBase;
    const rows = words!.shape[0]! - 5;
    const few = { shape: [rows, 16], data: words!.data.slice(0, rows * 16) };
    const foreign = await engine.params({ ...tinyBase, words: few });
    await expect(claraGenerator(engine, { ...sizes, base: foreign, adapter })).rejects.toMatchObject({
      code: "weights",
    });
  });
});
