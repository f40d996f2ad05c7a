import type { Weights } from "@clara/core";
import { createEngine, type Engine } from "@clara/engine";
import { adapterWeights } from "@clara/model";
import { haveFixtures, readFixture, readJson } from "@clara/model/testing";
import { expectClose } from "@clara/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { OptimizerSettings, Recipe, Stage, Task } from "../recipe.ts";
import { train } from "../train.ts";
import type { Batches, TrainingBatch } from "../train-steps.ts";
import { type ClaraExample, claraBatches, claraPart } from "./clara-batches.ts";
import { readCheckpoint, readExamples } from "./clara-fixtures.testing.ts";
import { adapterNames, type Role } from "./clara-params.ts";
import { type ClaraTaskOptions, compressionTask, endToEndTask, instructionTask } from "./tasks.ts";

interface Run {
  readonly args: { readonly generation_top_k: number; readonly learning_rate: number; readonly max_norm: number };
  readonly micro_batches: readonly { readonly ce: number; readonly mse: number; readonly records: readonly number[] }[];
  readonly steps: readonly { readonly lr_used: number; readonly grad_norm_before_clip: number }[];
}

const stages: readonly { name: string; stage: Stage; build(options: ClaraTaskOptions): Promise<Task> }[] = [
  { name: "stage1", stage: "compression", build: compressionTask },
  { name: "stage1_2", stage: "instruction", build: instructionTask },
  { name: "stage2", stage: "endToEnd", build: (options) => endToEndTask({ ...options, selected: 2 }) },
];

/** The recorded micro-batches in the recorded order, two a step. */
function batchesOf({ micro_batches }: Run, examples: readonly ClaraExample[]): Batches {
  return function* ({ cursor }) {
    for (let at = cursor; at < micro_batches.length; at += 2) {
      const taken = micro_batches.slice(at, at + 2).map(({ records }) => records.map((i) => examples[i]!));
      yield {
        parts: taken.map((part) => claraPart(part)),
        divisor: 2,
        tokens: 0,
        examples: 4,
        ids: taken.flat().map(({ id }) => id),
        next: { epoch: 0, cursor: at + 2 },
      };
    }
  };
}

describe.skipIf(!haveFixtures)("train beside the reference (needs ../shared/fixtures)", () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ prefer: ["compiled"] });
  });
  afterAll(() => engine.dispose());

  it.each(stages)("takes the reference's records for batches: $stage", async ({ name, stage }) => {
    const { generation_top_k: placed } = readJson<Run>(`training/${name}.json`).args;
    const { shape } = readCheckpoint(`checkpoints/rate8/${name}`);
    const examples = await readExamples(`data/${name}.jsonl`, stage, placed);
    const batches = claraBatches({ examples, shape, placed, seed: 1, batchSize: 4, partSize: 2 });
    const [first] = batches({ epoch: 0, cursor: 0 }) as Iterable<TrainingBatch>;
    expect(first!.parts.length).toBe(2);
  });

  it.each(stages)("takes the same four steps: $stage", async ({ name, stage, build }) => {
    const run = readJson<Run>(`training/${name}.json`);
    const recorded = readFixture(`training/${name}.safetensors`);
    const { shape, base, adapters } = readCheckpoint(`checkpoints/rate8/${name}`);
    const batches = batchesOf(run, await readExamples(`data/${name}.jsonl`, stage, run.args.generation_top_k));
    const rate = run.args.learning_rate;
    const optimizer: OptimizerSettings = {
      learningRate: rate,
      ...(stage === "endToEnd"
        ? { schedule: "constant", warmupSteps: 0 }
        : { schedule: "cosine", warmupSteps: 1, floor: 0.1 * rate }),
      weightDecay: 0,
      clipNorm: run.args.max_norm,
      beta1: 0.9,
      beta2: 0.95,
    };
    const recipe: Recipe = {
      ...{ name, stage, about: "the reference's own run", steps: 4, seed: 0, optimizer, data: {} },
      build: ({ engine }) => build({ engine, shape, base, adapters, batches }),
    };
    const before: Weights = Object.fromEntries(
      Object.entries(adapters).flatMap(([role, arrays]) =>
        Object.entries(adapterWeights(arrays, shape.decoder)).map(([key, array]) => [
          `${adapterNames[role as Role]}/${key}`,
          array,
        ]),
      ),
    );
    const first = shape.firstMemoryId * shape.decoder.width;
    const rows = (table: Weights[string]): Float32Array =>
      table.data.subarray(first, first + shape.memoryTokens * shape.decoder.width);
    const model = { config: {}, weights: {}, tokenizer: undefined as never };
    const read = (): never => {
      throw new Error("reads no files");
    };
    let compared = 0;
    for await (const { step, loss, norm, learningRate, measures, weights } of train(recipe, { engine, model, read })) {
      const { lr_used, grad_norm_before_clip } = run.steps[step - 1]!;
      const micro = run.micro_batches.slice(2 * step - 2, 2 * step);
      const mean = (of: (part: Run["micro_batches"][number]) => number): number => (of(micro[0]!) + of(micro[1]!)) / 2;
      expect(learningRate).toBeCloseTo(lr_used, 12);
      expectClose(norm, grad_norm_before_clip, { absolute: 0, relative: 1e-3 });
      const ce = mean((part) => part.ce);
      if (stage === "endToEnd") expectClose(loss, ce, { absolute: 2e-4, relative: 0 });
      else {
        const mse = mean((part) => part.mse);
        expectClose([measures.languageModel!, measures.alignment!], [ce, mse], { absolute: 2e-4, relative: 0 });
        expectClose(loss, ce + 0.1 * mse, { absolute: 2e-4, relative: 0 });
      }
      if (step % 2 === 1) continue;
      // The change, not the parameters: a change is a ten-thousandth of them.
      const after = await weights();
      for (const [key, wanted] of Object.entries(recorded)) {
        if (!key.startsWith(`step${step}/`)) continue;
        const path = key.slice(`step${step}/`.length);
        const [got, from] =
          path === "memory_rows"
            ? [rows(after["model.embed_tokens.weight"]!), rows(base.words!)]
            : [after[path]!.data, before[path]!.data];
        const change = (to: Float32Array): Float32Array => to.map((value, i) => value - from[i]!);
        expectClose(change(got), change(wanted.data), { absolute: 0.05 * rate, relative: 0 });
        compared++;
      }
    }
    expect(compared).toBe(Object.keys(recorded).length);
  });
});
