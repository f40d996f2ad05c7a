import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dequantizeMemory } from "@clara/compressor";
import type { Engine } from "@clara/engine";
import type { EvaluationRecord } from "@clara/evaluation";
import { answerFromDocuments } from "@clara/generator";
import { openPack } from "@clara/pack";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answer } from "./answer.ts";
import { readClaraFolder } from "./clara-folder.ts";
import { claraModel } from "./clara-model.ts";
import { defaultConfig, type RagConfig } from "./config/index.ts";
import { type Corpus, corpusOfPack } from "./corpus.ts";
import { corpusOfTexts } from "./corpus-of-texts.ts";
import { openEngine } from "./engine.ts";
import { evaluate, type Outcome, summarize } from "./evaluate.ts";
import { importTiny } from "./import/import-tiny.testing.ts";
import { openImported } from "./import/open-imported.testing.ts";
import { tinyAdapters } from "./import/tiny-checkpoint.testing.ts";
import { identityOf, indexFolder } from "./index-folder.ts";
import { type CutText, type LoadModelOptions, loadModel, type Model } from "./model.ts";

const folder = mkdtempSync(join(tmpdir(), "clara-model-"));
const at = (name: string): string => join(folder, name);
const rate = 128;
const question = "where is the mill";

function configOf(name: string, changes: Partial<RagConfig> = {}): RagConfig {
  const settings = defaultConfig();
  return {
    ...settings,
    compression: { enabled: true, model: at(name), rate },
    generation: { maxNewTokens: 8, temperature: 0 },
    guardrails: { ...settings.guardrails, requireCitations: false },
    ...changes,
  };
}
const load = (name: string, changes: Partial<RagConfig> = {}, options: LoadModelOptions = {}): Promise<Model> =>
  loadModel(configOf(name, changes), { threads: 1, ...options });

let model: Model;
let corpus: Corpus;
let cut: CutText[] = [];
let read = 0;
beforeAll(async () => {
  await importTiny(folder, "clara");
  mkdirSync(at("docs"));
  writeFileSync(at("docs/mill.md"), "# the mill\n\nthe mill is by the lake and makes paper\n");
  writeFileSync(at("docs/rail.md"), "# the railway\n\nthe railway goes to the coast\n");
  writeFileSync(at("docs/bird.md"), "# the bird\n\nthe bird eats snails and frogs\n");
  const onRead = (texts: number, shortened: readonly CutText[]): void => {
    read += texts;
    cut = [...cut, ...shortened];
  };
  model = await load("clara", {}, { onRead });
  await indexFolder([at("docs")], { pack: at("pack"), model, rate });
  corpus = await corpusOfPack(await openPack(at("pack"), { expect: identityOf(model, rate) }));
});
afterAll(async () => {
  await model.dispose();
  rmSync(folder, { recursive: true });
});

describe("an imported CLaRa in the pipeline", () => {
  it("answers from memories alone, streamed, and the record says by what", async () => {
    const pieces: string[] = [];
    const given = await answer(question, corpus, model, configOf("clara"), { onToken: (piece) => pieces.push(piece) });
    expect(given).toMatchObject({ refused: false, reason: null, tokens: { read: 0 } });
    expect(given.answer).not.toBe("");
    expect(pieces.join("")).toBe(given.answer);
    expect(given.tokens.text).toBeGreaterThan(40);
    expect(given.confidence).toBeCloseTo(Math.exp(given.margin), 12);
    expect(given.hits).toHaveLength(3);
    // Scores of this model are no probabilities: no threshold holds them.
    const scores = given.decisions.map(({ rail, pass, threshold }) => [rail, pass, threshold]);
    expect(scores.slice(1, 3)).toEqual([
      ["retrieval", true, 0],
      ["generation", true, 0],
    ]);
  });

  it("starts each of its parts when it is first asked, and once", async () => {
    const engine = await openEngine({ threads: 1 });
    const started: string[] = [];
    const listening: Engine = {
      ...engine,
      compile: (...of) => {
        started.push("reading");
        return engine.compile(...of);
      },
      decoder: (options) => {
        started.push("writing");
        return engine.decoder(options);
      },
    };
    const lazy = await claraModel(await readClaraFolder(at("clara")), listening, configOf("clara"));
    expect(started).toEqual([]);
    await lazy.compressor.compress([{ text: "the mill" }]);
    await lazy.compressor.compress([{ text: "the lake" }]);
    expect(started).toEqual(["reading"]);
    await lazy.compressor.query(question);
    await lazy.compressor.query("who?");
    expect(started).toEqual(["reading", "reading"]);
    await answer(question, corpus, lazy, configOf("clara"));
    expect(started.filter((part) => part === "writing")).toHaveLength(1);
    await lazy.dispose();
  });

  it("writes what its parts write from the two closest memories of the pack", async () => {
    const given = await answer(question, corpus, model, configOf("clara"));
    const { states } = await model.compressor.query(question);
    const closest = corpus.ids
      .map((id) => ({ id, closeness: model.closeness({ vector: states, states }, corpus.memory(id)) }))
      .sort((a, b) => b.closeness - a.closeness);
    expect(given.hits.map(({ passage }) => passage)).toEqual(closest.map(({ id }) => id));
    const engine = await openEngine({ threads: 1 });
    try {
      const parts = await openImported(engine, at("clara"));
      const [query] = (await parts.compressor.query([question])).queries;
      expect(states).toEqual(query);
      const memories = closest.slice(0, 2).map(({ id }) => dequantizeMemory(corpus.memory(id)));
      const { answers } = await answerFromDocuments(parts, [question], [memories], { maxTokens: 8 });
      expect(given.answer).toBe(answers[0]!.text.trim());
      // The title stands before the text as in the training data.
      const texts = ["This a document about the mill. \n the mill is by the lake and makes paper"];
      const [memory] = (await parts.compressor.compress(texts)).memories;
      const [own] = await model.compressor.compress([
        { title: "the mill", text: "the mill is by the lake and makes paper" },
      ]);
      expect(own!.vectors).toEqual(memory!.vectors);
      expect([...own!.spans]).toEqual([0, 39, 0, 39]);
    } finally {
      await engine.dispose();
    }
  });

  it("opens its pack again, with another generator too, and not with another compressor", async () => {
    const adapters = tinyAdapters();
    const changed = (role: string) =>
      Object.fromEntries(
        Object.entries(adapters).map(([name, tensor]) => [
          name,
          name.startsWith(role) ? { ...tensor, data: tensor.data.map((x) => x / 2) } : tensor,
        ]),
      );
    await importTiny(folder, "writer", { adapters: changed("decoder_adapter") });
    await importTiny(folder, "reader", { adapters: changed("encoder_adapter") });
    const [writer, reader] = [await load("writer"), await load("reader")];
    try {
      expect(writer.memoryId).toBe(model.memoryId);
      expect(writer.id).not.toBe(model.id);
      const again = await corpusOfPack(await openPack(at("pack"), { expect: identityOf(writer, rate) }));
      expect(await writer.compressor.query(question)).toEqual(await model.compressor.query(question));
      expect((await answer(question, again, writer, configOf("writer"))).hits).toHaveLength(3);
      await expect(openPack(at("pack"), { expect: identityOf(reader, rate) })).rejects.toThrow(/index --recompress/);
    } finally {
      await writer.dispose();
      await reader.dispose();
    }
  });

  it("is measured on records, and tells which of their documents lost their ends", async () => {
    const record = (id: string, docs: string[]): EvaluationRecord => ({
      ...{ id, question, answers: ["by the lake"], docs, positive: [0], answerable: true },
    });
    const records = [
      record("short", ["the mill is by the lake", "the bird"]),
      record("long", [`the mill ${"is by the lake ".repeat(20)}`, "the railway"]),
    ];
    [cut, read] = [[], 0];
    const outcomes: Outcome[] = [];
    const measuring = evaluate(records, model, configOf("clara"), { context: "memory" });
    for await (const outcome of measuring) outcomes.push(outcome);
    const { n, recall, refused, tokens } = summarize(outcomes, { context: "memory", rate });
    expect({ n, recall, refused, read: tokens.read }).toMatchObject({ n: 2, recall: { 3: 1 }, refused: 0, read: 0 });
    // Two documents and a question of each record.
    expect(read).toBe(6);
    expect(cut).toEqual([{ text: records[1]!.docs![0], lostTokens: expect.any(Number) }]);
    expect(cut[0]!.lostTokens).toBeGreaterThan(40);
  });

  it("splits documents so that they fit, with a title", async () => {
    [cut, read] = [[], 0];
    const long = await corpusOfTexts(
      [{ title: "the lake", text: "the mill is by the lake. ".repeat(40) }],
      model,
      rate,
    );
    expect(long.size).toBeGreaterThan(3);
    expect(cut).toEqual([]);
    const [first] = long.ids;
    const { count, rate: stored, tokens, bits } = long.memory(first!);
    expect([count, stored, [...tokens], bits]).toEqual([2, rate, [rate, rate], 8]);
  });

  it("answers from no text, and says what to change", async () => {
    const ask = (changes: Partial<RagConfig>, context?: "mixed") =>
      answer(question, corpus, model, configOf("clara", changes), context && { context });
    const message = expect.stringMatching(
      /^ask: clara-checkpoint.* does not answer from context text; it takes memory/,
    );
    const { expansion, compression } = configOf("clara");
    await expect(ask({ expansion: { ...expansion, when: "always" } })).rejects.toMatchObject({
      ...{ code: "unsupported", message },
    });
    await expect(ask({ compression: { ...compression, enabled: false } })).rejects.toMatchObject({ message });
    await expect(ask({}, "mixed")).rejects.toThrow(/from context mixed/);
  });

  it("has one rate", async () => {
    const compression = { ...configOf("clara").compression, rate: 16 };
    await expect(load("clara", { compression })).rejects.toMatchObject({
      code: "config",
      message: expect.stringMatching(/^compression.rate: 16 is not the model's; .* trained at 128.*; set rate: 128$/),
    });
    await expect(model.compressor.compress([{ text: "a" }], { rate: 64 })).rejects.toMatchObject({ code: "option" });
  });

  it("holds answers to thresholds where its folder has a calibration", async () => {
    cpSync(at("clara"), at("fitted"), { recursive: true });
    const config = JSON.parse(readFileSync(at("fitted/config.json"), "utf8"));
    const write = (calibration: object): void =>
      writeFileSync(at("fitted/config.json"), JSON.stringify({ ...config, calibration }));
    const support = { bias: -1, best: 1, mean: 0, overlap: 0 };
    write({ support, confidence: { bias: -9, margin: 0, support: 0 } });
    const fitted = await load("fitted");
    try {
      const refused = await answer(question, corpus, fitted, configOf("fitted"));
      expect(refused).toMatchObject({
        reason: "out_of_context",
        decisions: [{}, { rail: "retrieval", threshold: 0.55 }],
      });
      const reranking = { topK: 5, minScore: 0.1 };
      const doubtful = await answer(question, corpus, fitted, configOf("fitted", { reranking }));
      expect(doubtful).toMatchObject({
        reason: "low_confidence",
        confidence: expect.closeTo(1 / (1 + Math.exp(9)), 8),
      });
    } finally {
      await fitted.dispose();
    }
    write({ support: { ...support, best: "much" } });
    await expect(load("fitted")).rejects.toThrow(/calibration.support must have the numbers bias, best, mean, overlap/);
  });
});

describe("folders of import that cannot run", () => {
  it("are decoders without adapters, imports that are not done, checkpoints without a part", async () => {
    await importTiny(folder, "decoder", { decoder: true });
    await expect(load("decoder")).rejects.toMatchObject({
      code: "config",
      message: expect.stringMatching(/decoder is a decoder, the base of a CLaRa and none itself/),
    });
    mkdirSync(at("begun"));
    writeFileSync(at("begun/import.jsonl"), "");
    await expect(load("begun")).rejects.toThrow(/its import is not done; run it again to go on/);
    await importTiny(folder, "mute", { adapters: tinyAdapters(["compressor"]) });
    const mute = await load("mute");
    try {
      await expect(answer(question, corpus, mute, configOf("mute"))).rejects.toMatchObject({
        code: "weights",
        message: expect.stringMatching(
          /there is no adapter for the generator, and answers cannot be written without it/,
        ),
      });
    } finally {
      await mute.dispose();
    }
  });
});
