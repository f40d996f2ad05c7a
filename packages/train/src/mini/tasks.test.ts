import type { Weights } from "@clara/core";
import { createEngine, type Engine } from "@clara/engine";
import { expectClose } from "@clara/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { townRecords, townTokenizer } from "../reading/towns.testing.ts";
import type { TrainableModel } from "../recipe.ts";
import { type MemoryTaskOptions, memoryTask } from "./memory-task.ts";
import { type QueryTaskOptions, queryTask } from "./query-task.ts";
import { type ReadingTaskOptions, readingTask } from "./reading-task.ts";
import { type SearchTaskOptions, searchTask } from "./search-task.ts";
import { type Build, changed, mean, type Ran, ran, startOf, tiny, tinyMini, withWeights } from "./tiny-mini.testing.ts";

let engine: Engine;
/** With a reader of memories that has not learnt. */
let complete: TrainableModel;
beforeAll(async () => {
  engine = await createEngine({ prefer: "compiled", threads: 1 });
  complete = withWeights(model, await startOf({ engine, model }, reading.memory()));
});
afterAll(() => engine?.dispose());

const model = tinyMini();
const shared = { records: townRecords, seed: 2, batchSize: 16 };
const { D, F, d, layers } = tiny;

/** Records whose answer is one token, and whose passages are equally long: without titles. */
const numbers = townRecords.filter(({ id }) => /\d$/.test(id)).map(({ title: _, ...record }) => record);

/** A reader of memories that finds nothing more likely than anything else. */
function silent(): TrainableModel {
  const own = Object.entries(complete.weights).filter(([name]) => /^memory\.(?:window|pointer)\./.test(name));
  return withWeights(
    complete,
    Object.fromEntries(own.map(([name, { shape, data }]) => [name, { shape, data: new Float32Array(data.length) }])),
  );
}

const search =
  (options: Partial<SearchTaskOptions> = {}): Build =>
  (context) =>
    searchTask(context, { ...shared, memoryWidth: d, frozenLayers: 1, rates: [8], ...options });
const query =
  (options: Partial<QueryTaskOptions> = {}): Build =>
  (context) =>
    queryTask(context, { ...shared, groupSize: 4, answers: 8, rate: 8, rank: 3, ...options });
const reading = {
  text:
    (options: Partial<ReadingTaskOptions> = {}): Build =>
    (context) =>
      readingTask(context, {
        ...{ ...shared, partTokens: 400, frozenLayers: 1 },
        mix: { whole: 0.6, windows: 0.2, other: 0.1, removed: 0.05, changed: 0.05 },
        ...options,
      }),
  memory:
    (options: Partial<MemoryTaskOptions> = {}): Build =>
    (context) =>
      memoryTask(context, { ...shared, partSize: 8, rates: [8], memoryLayers: 1, pointerWidth: 6, ...options }),
};

interface Case {
  readonly name: string;
  readonly build: Build;
  readonly start: () => TrainableModel;
  /** Names of the tensors that are trained. */
  readonly trained: RegExp;
  readonly frozen: RegExp;
}

const never = /^$/;
const cases: readonly Case[] = [
  {
    name: "searchTask",
    build: search(),
    start: () => model,
    trained: /^compressor\.(?:layer\.[01]\.|bottleneck\.weight$)/,
    frozen: /^compressor\.layer\.0\./,
  },
  {
    name: "readingTask",
    build: reading.text(),
    start: () => model,
    trained: /^reader\.(?:layer\.[01]\.|span\.(?:weight|bias)$)/,
    frozen: /^reader\.layer\.0\./,
  },
  {
    name: "memoryTask",
    build: reading.memory(),
    start: () => complete,
    trained: /^memory\.(?:layer\.0\.|up\.|positions$|overlap$|norm\.|window\.|pointer\.)/,
    frozen: never,
  },
  { name: "queryTask", build: query(), start: () => complete, trained: /^query\.layers\.[01]\./, frozen: never },
];

describe.each(cases)("$name", ({ build, start, trained, frozen }) => {
  let model: TrainableModel;
  let before: Weights;
  let whole: Ran;
  beforeAll(async () => {
    model = start();
    before = await startOf({ engine, model }, build);
    whole = await ran({ engine, model }, build, { steps: 4 });
  });

  it("changes what it trains by the names in the weights file, and leaves frozen layers bit for bit", () => {
    const names = Object.keys(whole.weights);
    expect(names.toSorted()).toEqual(Object.keys(before).toSorted());
    expect(names.filter((name) => !trained.test(name))).toEqual([]);
    const moved = changed(before, whole.weights);
    expect(moved.filter((name) => frozen.test(name))).toEqual([]);
    const stuck = names.filter((name) => !moved.includes(name) && !frozen.test(name));
    // A key's bias moves all of a row's logits by the same: it has no gradient but for rounding.
    expect(stuck.filter((name) => !name.endsWith("attention.self.key.bias"))).toEqual([]);
    for (const { shape, data } of Object.values(whole.weights))
      expect(data).toHaveLength(shape.reduce((a, b) => a * b));
  });

  it("begins, in a model with what it has trained, with exactly that", async () => {
    const again = await startOf({ engine, model: withWeights(model, whole.weights) }, build);
    expect(Object.keys(again).toSorted()).toEqual(Object.keys(whole.weights).toSorted());
    expect(changed(whole.weights, again)).toEqual([]);
  });

  it("goes on from a checkpoint to the same losses and weights", async () => {
    const resumed = await ran({ engine, model }, build, { steps: 4, resume: whole.checkpoints[1]! });
    expect(resumed.losses).toEqual(whole.losses.slice(2));
    expect(changed(whole.weights, resumed.weights)).toEqual([]);
  });
});

describe("searchTask", () => {
  it("brings questions nearer to their passages", async () => {
    const build = search({ frozenLayers: 0, titled: 0, temperature: 0.2 });
    const { losses } = await ran({ engine, model }, build, { steps: 60 });
    expect(mean(losses.slice(-6))).toBeLessThan(0.85 * mean(losses.slice(0, 3)));
  });

  it("begins with orthonormal axes where the model has no bottleneck of the width", async () => {
    for (const start of [tinyMini({ bottleneck: false }), tinyMini()]) {
      const { "compressor.bottleneck.weight": weight } = await startOf(
        { engine, model: start },
        search({ memoryWidth: 4 }),
      );
      expect(weight!.shape).toEqual([D, 4]);
      const column = (k: number): number[] => Array.from({ length: D }, (_, i) => weight!.data[i * 4 + k]!);
      const dot = (a: number[], b: number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
      const dots = [0, 1, 2, 3].map((a) => [0, 1, 2, 3].map((b) => dot(column(a), column(b))));
      expectClose(
        dots,
        [0, 1, 2, 3].map((a) => [0, 1, 2, 3].map((b) => (a === b ? 1 : 0))),
        { absolute: 1e-5 },
      );
    }
  });

  it("passes temperature and weights on to the loss", async () => {
    // All 16 passages are alike at a temperature this high, and nothing else is counted.
    const build = search({ temperature: 1e6, windowWeight: 0, keyWeight: 0 });
    const { losses } = await ran({ engine, model }, build, { steps: 1 });
    expectClose(losses[0]!, Math.log(16), { relative: 1e-4 });
  });
});

describe("readingTask", () => {
  const mix = { whole: 1, windows: 0, other: 0, removed: 0, changed: 0 };

  it("learns to find answers", async () => {
    const { losses } = await ran({ engine, model }, reading.text({ mix, cropped: 0 }), { steps: 40 });
    expect(losses[0]!).toBeGreaterThan(6);
    expect(losses.at(-1)!).toBeLessThan(3);
  });

  it("says of the model whether its reader knows titles, and goes on as the model before did", async () => {
    const said = async (config: object, options: Partial<ReadingTaskOptions> = {}) => {
      const task = await reading.text(options)({ engine, model: { ...model, config: { ...model.config, ...config } } });
      for (const store of task.params) await store.dispose();
      return task.config;
    };
    expect(await said({})).toEqual({ titledReader: false });
    expect(await said({}, { titled: 0.5 })).toEqual({ titledReader: true });
    expect(await said({ titledReader: true })).toEqual({ titledReader: true });
    expect(await said({ titledReader: true }, { titled: 0 })).toEqual({ titledReader: false });
  });

  it("is as unsure as there are tokens where the head says nothing", async () => {
    // The rows of a norm add up to 0, so a start that weighs all of a state's numbers alike says as much as an end of zeros.
    const weight = { shape: [2, D], data: Float32Array.from({ length: 2 * D }, (_, i) => (i < D ? 7 : 0)) };
    const silent = withWeights(model, { "reader.span.weight": weight });
    const build = reading.text({ mix, cropped: 0 });
    const { losses } = await ran({ engine, model: silent }, build, { steps: 1 });
    // Each text has 38 tokens; CLS beside them.
    expect(townRecords.every(({ text }) => townTokenizer.encode(text).ids.length === 38)).toBe(true);
    expectClose(losses[0]!, 2 * Math.log(39), { relative: 1e-4 });
  });
});

describe("memoryTask", () => {
  it("learns which window answers, and where", async () => {
    const build = reading.memory({ astray: 0.3 });
    const { losses, measures } = await ran({ engine, model }, build, { steps: 60 });
    expect(mean(losses.slice(-6))).toBeLessThan(0.8 * mean(losses.slice(0, 3)));
    const sums = measures.map(({ windows, spans }) => windows! + 0.5 * spans!);
    expectClose(losses, sums);
  });

  it("is as unsure as there are windows and tokens where the reader says nothing, answered or not", async () => {
    const context = { engine, model: silent() };
    for (const astray of [0, 1]) {
      const { measures } = await ran(context, reading.memory({ records: numbers, astray }), { steps: 1 });
      // 5 windows and none of them; 38 tokens and none, twice.
      expectClose([measures[0]!.windows!, measures[0]!.spans!], [Math.log(6), 2 * Math.log(39)]);
    }
  });

  it("begins with the uppermost layers of the text reader, and with the way back through the bottleneck", async () => {
    const { weights } = complete;
    const layer = (name: string): Weights =>
      Object.fromEntries(
        Object.entries(weights).flatMap(([key, tensor]) =>
          key.startsWith(name) ? [[key.slice(name.length), tensor]] : [],
        ),
      );
    expect(changed(layer("reader.layer.1."), layer("memory.layer.0."))).toEqual([]);
    expect(Object.keys(layer("memory.layer.0."))).toHaveLength(16);
    expect(layer("memory.layer.1.")).toEqual({});
    const [up, down] = [weights["memory.up.weight"]!, weights["compressor.bottleneck.weight"]!];
    expect(up.shape).toEqual([d, D]);
    const turned = Float32Array.from(up.data, (_, i) => down.data[(i % D) * d + Math.floor(i / D)]!);
    expect(up.data).toEqual(turned);
    const both = await startOf({ engine, model }, reading.memory({ memoryLayers: 2 }));
    expect(changed(layer("reader.layer.0."), layer("memory.layer.0.")).length).toBeGreaterThan(0);
    expect(Object.keys(both).filter((name) => name.startsWith("memory.layer.")).length).toBe(32);
  });
});

describe("queryTask", () => {
  it("brings questions nearer to their windows, and reads what it has selected", async () => {
    const { losses, measures } = await ran({ engine, model: complete }, query(), { steps: 60, rate: 0.02 });
    expect(mean(losses.slice(-6))).toBeLessThan(0.8 * mean(losses.slice(0, 3)));
    const sums = measures.map(({ search, answer }) => search! + 0.5 * answer!);
    expectClose(losses, sums);
  });

  it("is as unsure as the selected passages have windows where the reader says nothing, answered or not", async () => {
    const { measures } = await ran({ engine, model: silent() }, query({ records: numbers, topK: 1 }), { steps: 1 });
    // The 5 windows of one passage, and none of them.
    expectClose(measures[0]!.answer!, Math.log(6));
  });

  it("changes nothing at first: its updates are of the rank asked for, and zero", async () => {
    const weights = await startOf({ engine, model: complete }, query());
    expect(Object.keys(weights)).toHaveLength(layers * 6 * 2);
    expect(weights["query.layers.1.feedForward.in.a"]!.shape).toEqual([D, 3]);
    expect(weights["query.layers.1.feedForward.in.b"]!.shape).toEqual([3, F]);
    for (const [name, { data }] of Object.entries(weights)) {
      expect(
        data.every((value) => value === 0),
        name,
      ).toBe(name.endsWith(".b"));
    }
  });
});
