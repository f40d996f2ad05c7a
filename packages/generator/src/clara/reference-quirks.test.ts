import { createEngine, type Engine, type Params } from "@clara/engine";
import { tinyAdapter, tinyBase, tinyConfig, tinyRender, tinyTokenizer } from "@clara/model/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answerFromCandidates, answerFromDocuments, type ClaraModel } from "./answers.ts";
import { claraGenerator } from "./clara-generator.ts";
import { textReader } from "./text-reader.testing.ts";

const sizes = { decoder: tinyConfig, tokenizer: tinyTokenizer, render: tinyRender, documentTokens: 24 };
const maxTokens = 4;

// On the CPU, as every test here: the reference's calls name a GPU and fail without one.
let engine: Engine;
let base: Params;
let model: ClaraModel;
beforeAll(async () => {
  engine = await createEngine({ prefer: "compiled", threads: 1 });
  base = await engine.params(tinyBase);
  model = {
    generator: await claraGenerator(engine, { ...sizes, base, adapter: await engine.params(tinyAdapter(4)) }),
    compressor: await textReader(engine, { ...sizes, base, compressor: tinyAdapter(2), query: tinyAdapter(3) }),
  };
});
afterAll(() => engine.dispose());

describe("where the reference differs", () => {
  it("answers the same each time it is asked, where a model of the reference that was just loaded still drops at random", async () => {
    const ask = async () => (await answerFromDocuments(model, ["who?"], [["a lake", "a town"]], { maxTokens })).answers;
    expect(await ask()).toEqual(await ask());
  });

  it("gives the closeness of each document, best first, where the reference gives places alone", async () => {
    const { answers } = await answerFromCandidates(model, ["who?"], [["a lake", "a town", "b"]], { maxTokens: 1 });
    const scores = answers[0]!.documents.map(({ score }) => score);
    expect(scores.length).toBe(3);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    for (const score of scores) expect(Math.abs(score)).toBeLessThanOrEqual(1);
  });

  it("takes the documents that there are when more are asked for, where the reference breaks off", async () => {
    const few = [["a lake", "a town"]];
    const { answers } = await answerFromCandidates(model, ["who?"], few, { maxTokens, selected: 5 });
    const { answers: all } = await answerFromCandidates(model, ["who?"], few, { maxTokens, selected: 2 });
    expect(answers).toEqual(all);
    expect(answers[0]!.documents.length).toBe(2);
  });

  it("says of an empty list that there is no document, where the reference breaks off on an index", async () => {
    const asked = answerFromCandidates(model, ["who?"], [[]], { maxTokens });
    await expect(asked).rejects.toThrow("clara: task 0: there is no document; without one nothing can be answered");
  });
});
