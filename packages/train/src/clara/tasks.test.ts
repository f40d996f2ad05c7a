import type { Weights } from "@clara/core";
import { createEngine, type Engine } from "@clara/engine";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Recipe, Task } from "../recipe.ts";
import { train } from "../train.ts";
import type { Batches } from "../train-steps.ts";
import { claraBatches } from "./clara-batches.ts";
import { type ClaraTaskOptions, compressionTask, endToEndTask, instructionTask } from "./tasks.ts";
import { type TinyExamplesOptions, tinyClara, tinyExamples } from "./tiny-clara.testing.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ prefer: ["compiled"] });
});
afterAll(() => engine.dispose());

const context = {
  model: { config: {}, weights: {}, tokenizer: undefined as never },
  read: (): never => {
    throw new Error("reads no files");
  },
};
type Build = (options: ClaraTaskOptions) => Promise<Task>;
const endToEnd: Build = (options) => endToEndTask({ ...options, selected: 1 });

const { shape, base, adapters } = tinyClara();
const path = "layers.0.attention.query.a";
const batchesOf = (options: TinyExamplesOptions = {}, count = 8): Batches =>
  claraBatches({
    examples: tinyExamples(count, options),
    shape,
    placed: options.placed ?? options.documents ?? 1,
    seed: 1,
    batchSize: 8,
    partSize: 4,
  });

function recipeOf(build: Build, steps: number, options: Partial<ClaraTaskOptions> = {}): Recipe {
  return {
    ...{ name: "tiny", stage: "compression", about: "a test's", steps, seed: 1, data: {} },
    optimizer: { learningRate: 0.01, schedule: "constant", warmupSteps: 0, weightDecay: 0, clipNorm: 1 },
    build: ({ engine }) => build({ engine, shape, base, adapters, batches: batchesOf(), ...options }),
  };
}

async function lossesOf(recipe: Recipe, resume?: Uint8Array): Promise<number[]> {
  const losses: number[] = [];
  for await (const { loss } of train(recipe, { engine, ...context, resume })) losses.push(loss);
  return losses;
}

interface Case {
  readonly stage: string;
  readonly build: Build;
  readonly examples: TinyExamplesOptions;
  /** What is trained, by the first part of the reference's names. */
  readonly trained: readonly string[];
}

const asked: TinyExamplesOptions = { documents: 3, placed: 1, asked: true };
const cases: readonly Case[] = [
  {
    stage: "compression",
    build: compressionTask,
    examples: {},
    trained: ["encoder_adapter", "decoder_adapter", "model.embed_tokens.weight"],
  },
  {
    stage: "instruction",
    build: instructionTask,
    examples: { documents: 2 },
    trained: ["encoder_adapter", "decoder_adapter"],
  },
  { stage: "endToEnd", build: endToEnd, examples: asked, trained: ["decoder_adapter", "query_reasoner_adapter"] },
];

describe.each(cases)("the stage $stage", ({ build, examples, trained }) => {
  it("overfits one batch, and gives what it has trained by the reference's names", async () => {
    const losses: number[] = [];
    let weights: Weights = {};
    for await (const step of train(recipeOf(build, 100, { batches: batchesOf(examples) }), { engine, ...context })) {
      losses.push(step.loss);
      if (step.step === step.steps) weights = await step.weights();
    }
    expect(losses[0]!).toBeGreaterThan(2);
    expect(losses.at(-1)!).toBeLessThan(0.35);
    const names = Object.keys(weights);
    expect([...new Set(names.map((name) => name.split("/")[0]))]).toEqual(trained);
    expect(names.filter((name) => name.includes("/")).length).toBe(2 * 7 * 2);
    const table = weights["model.embed_tokens.weight"]?.data;
    if (!table) return;
    const changed = Array.from({ length: 16 }, (_, token) => token).filter((token) =>
      table.subarray(token * 16, token * 16 + 16).some((value, i) => value !== base.words!.data[token * 16 + i]),
    );
    expect(changed).toEqual([shape.firstMemoryId, shape.firstMemoryId + 1]);
  });
});

describe("a stage's task", () => {
  it("goes on bit for bit from a checkpoint, dropout included", async () => {
    const of = (dropout: number): Recipe => recipeOf(endToEnd, 4, { batches: batchesOf(asked, 16), dropout });
    const whole: number[] = [];
    let middle: Uint8Array | undefined;
    for await (const { step, loss, checkpoint } of train(of(0.3), { engine, ...context })) {
      whole.push(loss);
      if (step === 2) middle = await checkpoint();
    }
    expect(await lossesOf(of(0.3), middle)).toEqual(whole.slice(2));
    // An adapter that is fresh changes nothing, with or without dropout.
    const [first, ...others] = await lossesOf(of(0));
    expect(first).toBe(whole[0]);
    expect(others).not.toEqual(whole.slice(1));
  });

  it("begins the query reasoner as a copy of the compressor where there is none", async () => {
    const { query: _, ...others } = adapters;
    const { params } = await endToEnd({ engine, shape, base, adapters: others, batches: batchesOf(asked) });
    const { [`query.${path}`]: query } = await params.find(({ trainable }) => trainable)!.read();
    expect(query).toEqual(adapters.compressor[path]);
    await Promise.all(params.map((store) => store.dispose()));
  });

  it("says which adapter is missing, and what the table lacks", async () => {
    const options = { engine, shape, base, adapters, batches: batchesOf() };
    const { generator: _, ...others } = adapters;
    await expect(compressionTask({ ...options, adapters: others })).rejects.toThrow(
      "compressionTask: adapters.generator is missing; this stage needs compressor, generator",
    );
    const words = { shape: [12, 16], data: base.words!.data.slice(0, 12 * 16) };
    await expect(compressionTask({ ...options, base: { ...base, words } })).rejects.toThrow(
      "base.words must have rows for the memory tokens, 14 or more, got 12",
    );
  });
});
