import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClaraError } from "@clara/core";
import { createEngine, type Engine } from "@clara/engine";
import { readWeights } from "@clara/model";
import type { Recipe } from "@clara/train";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type ModelFolder, readModelFolder } from "../model-folder.ts";
import { writeAtomic } from "../write-atomic.ts";
import { dryRun } from "./dry-run.ts";
import type { LoadedRecipe } from "./load-recipe.ts";
import { openRunFolder } from "./run-folder.ts";
import { type RunTrainingOptions, runTraining } from "./run-training.ts";
import line from "./testing/line.ts";
import { writeTinyModel } from "./testing/tiny-model.ts";
import { readLog } from "./training-log.ts";

let engine: Engine;
let folder = "";
let model: ModelFolder;
beforeAll(async () => {
  engine = await createEngine({ prefer: "compiled", threads: 1 });
});
afterAll(() => engine?.dispose());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "clara-train-"));
  writeFileSync(join(folder, "points.json"), "[1, -2, 3, 0.5]");
  model = await writeTinyModel(join(folder, "start"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);
const loaded = (changed: Partial<Recipe> = {}): LoadedRecipe => {
  const data = { points: { ...line.data.points!, path: at("points.json") } };
  return { recipe: { ...line, steps: 20, data, ...changed }, file: "line.ts", sha256: "0".repeat(64) };
};
const go = (
  out: string,
  options: Partial<RunTrainingOptions> & { resume?: boolean; recipe?: Partial<Recipe> } = {},
) => {
  const { resume = false, recipe, ...rest } = options;
  const folder = openRunFolder(at(out), resume);
  return runTraining(loaded(recipe), { engine, model, folder, checkpointMinutes: 0, ...rest });
};
/** A signal that fires after a step. */
const stopAfter = (step: number) => {
  const stop = new AbortController();
  return { signal: stop.signal, onStep: (entries: readonly unknown[]) => entries.length === step && stop.abort() };
};
const weightsOf = (out: string): Buffer => readFileSync(at(`${out}/line.safetensors`));

describe("runTraining", () => {
  it("leaves a model, a log, a checkpoint and a report", async () => {
    const result = await go("out");
    expect(result).toMatchObject({ step: 20, steps: 20 });
    expect((await readdir(at("out"))).sort()).toEqual([
      "checkpoint.safetensors",
      "config.json",
      "line.safetensors",
      "log.jsonl",
      "report.html",
      "run.json",
      "tokenizer.json",
    ]);
    const trained = await readModelFolder(at("out"));
    expect(trained.id).toBe(result.model);
    expect(trained.config).toMatchObject({ width: 4 });
    const build: Recipe["build"] = async (context) => ({ ...(await line.build(context)), config: { learnt: true } });
    await go("said", { recipe: { build } });
    expect((await readModelFolder(at("said"))).config).toMatchObject({ width: 4, learnt: true });
    const weights = readWeights(trained.weights);
    expect(Object.keys(weights).sort()).toEqual(["kept", "line.weight"]);
    expect([...weights.kept!.data]).toEqual([1, 2]);
    const log = readLog(at("out/log.jsonl"));
    expect(log.map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(log[3]).toMatchObject({
      tokens: 16,
      examples: 4,
      measures: { doubled: expect.closeTo(2 * log[3]!.loss, 4) },
    });
    const report = readFileSync(at("out/report.html"), "utf8");
    for (const part of ["Training: line", "CC0-1.0", "four numbers, made up", model.id, "cosine", "doubled"]) {
      expect(report).toContain(part);
    }
  });

  it("saves at the step at which it is stopped, and goes on to the same bytes", async () => {
    await go("whole");
    const stopped = await go("cut", { ...stopAfter(7), checkpointMinutes: 60 });
    expect(stopped).toMatchObject({ step: 7, steps: 20, model: undefined });
    expect(existsSync(at("cut/config.json"))).toBe(false);
    await go("cut", { ...stopAfter(13), resume: true });
    await go("cut", { resume: true });
    expect(Buffer.compare(weightsOf("cut"), weightsOf("whole"))).toBe(0);
    const losses = (out: string) => readLog(at(`${out}/log.jsonl`)).map(({ step, loss, norm }) => [step, loss, norm]);
    expect(losses("cut")).toEqual(losses("whole"));
  });

  it("begins anew when it was stopped before the first checkpoint", async () => {
    await expect(go("out", { recipe: { build: () => Promise.reject(new Error("later")) } })).rejects.toThrow("later");
    expect(await go("out", { resume: true })).toMatchObject({ step: 20 });
  });

  it("is done when it is done, and can be made longer", async () => {
    const first = await go("out");
    expect(await go("out", { resume: true })).toMatchObject({ step: 20, steps: 20, model: first.model });
    const notes: string[] = [];
    const longer = await go("out", { resume: true, steps: 25, onNote: (text) => notes.push(text) });
    expect(longer).toMatchObject({ step: 25, steps: 25 });
    expect(notes).toEqual(["from here on the learning rate is that of a run of 25 steps, not of 20"]);
    expect((await readModelFolder(at("out"))).id).toBe(longer.model);
    // A resumed run goes on to where it was to go, not to where its recipe ends.
    expect(await go("out", { resume: true })).toMatchObject({ step: 25, steps: 25 });
  });

  it("goes on when a checkpoint cannot be saved, with the last good one in place", async () => {
    let saves = 0;
    const notes: string[] = [];
    const full: typeof writeAtomic = (path, bytes) => {
      saves += 1;
      if (saves === 1 || saves > 3) return writeAtomic(path, bytes);
      return writeAtomic(path, bytes, async (file) => {
        await file.write(new Uint8Array(10));
        throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
      });
    };
    const seen: number[] = [];
    const result = await go("out", {
      save: full,
      onNote: (text) => notes.push(text),
      onStep: () =>
        existsSync(at("out/checkpoint.safetensors")) &&
        seen.push(readFileSync(at("out/checkpoint.safetensors")).length),
    });
    expect(result.step).toBe(20);
    expect(notes).toHaveLength(2);
    expect(notes[0]).toMatch(/disk is full .*; the checkpoint of step 1 is kept in .*; the run goes on$/);
    // Whole at every step.
    expect(new Set(seen).size).toBe(1);
    expect(await readdir(at("out"))).not.toContain("checkpoint.safetensors.tmp");
  });

  it("fails when the end cannot be saved, and goes on from the last good checkpoint", async () => {
    await go("whole");
    const full: typeof writeAtomic = async (path, bytes) => {
      if (readLog(at("out/log.jsonl")).length === 20) throw new ClaraError("io", `${path}: the disk is full`);
      return writeAtomic(path, bytes);
    };
    const notes: string[] = [];
    await expect(go("out", { save: full, onNote: (text) => notes.push(text) })).rejects.toMatchObject({ code: "io" });
    expect(notes).toEqual([
      expect.stringMatching(/the checkpoint of step 19 is kept in .*; --resume goes on from there/),
    ]);
    expect(await go("out", { resume: true })).toMatchObject({ step: 20 });
    expect(readLog(at("out/log.jsonl")).map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(
      Buffer.compare(readFileSync(at("out/checkpoint.safetensors")), readFileSync(at("whole/checkpoint.safetensors"))),
    ).toBe(0);
  });

  it("stops at a loss that is not finite, with the batch named and the last good checkpoint kept", async () => {
    const poisoned: Recipe["build"] = async (context) => {
      const task = await line.build(context);
      return {
        ...task,
        async *batches(from) {
          for await (const batch of task.batches(from)) {
            if (batch.next.cursor === 6) (batch.parts[1]!.y!.data as Float32Array)[0] = Number.NaN;
            yield batch;
          }
        },
      };
    };
    const notes: string[] = [];
    const run = go("out", { recipe: { build: poisoned }, onNote: (text) => notes.push(text) });
    await expect(run).rejects.toMatchObject({
      code: "input",
      message: expect.stringMatching(/step 6: the loss is NaN, in the batch of batch 5;/),
    });
    expect(notes).toEqual([expect.stringMatching(/the checkpoint of step 5 is kept/)]);
    await go("whole");
    expect(await go("out", { resume: true })).toMatchObject({ step: 20 });
    expect(Buffer.compare(weightsOf("out"), weightsOf("whole"))).toBe(0);
  });

  it("refuses a folder that has a run or a model, and --resume where there is none", async () => {
    await go("out", stopAfter(2));
    expect(() => go("out")).toThrow(/has a run of the recipe "line" already, begun .*; go on with it by --resume/);
    expect(() => go("start")).toThrow(/has a model or a checkpoint already; name another folder by --out/);
    expect(() => go("none", { resume: true })).toThrow(/has no run\.json, so no run to go on with; leave --resume out/);
    writeFileSync(at("out/run.json"), "{");
    expect(() => go("out", { resume: true })).toThrow(/run\.json: cannot be read/);
  });

  it("refuses to go on with another recipe, other settings, another model or other data", async () => {
    await go("out", stopAfter(2));
    const before = readFileSync(at("out/checkpoint.safetensors"));
    const refused = (options: Parameters<typeof go>[1], message: RegExp) =>
      expect(go("out", { resume: true, ...options })).rejects.toMatchObject({
        code: "option",
        message: expect.stringMatching(message),
      });
    await refused({ recipe: { name: "other" } }, /holds a run of the recipe "line", not of "other"; resume that one/);
    await refused({ recipe: { seed: 4 } }, /the recipe has changed since .*: seed was 3, is 4; set it back/);
    const optimizer = { ...line.optimizer, learningRate: 1, beta1: 0.5 };
    await refused({ recipe: { optimizer } }, /learningRate was 0\.05, is 1; beta1 was not set, is 0\.5/);
    const other = await writeTinyModel(at("other"), [5]);
    await refused(
      { model: other },
      /started from the model start\+.*, not from start\+.*; name that model's folder by --model/,
    );
    writeFileSync(at("points.json"), "[1, 1, 1, 1]");
    await refused({}, /points\.json: is not the file that the run began with .*--data points=PATH/);
    writeFileSync(at("points.json"), "[1, -2, 3, 0.5]");
    expect(Buffer.compare(readFileSync(at("out/checkpoint.safetensors")), before)).toBe(0);
    expect(await go("out", { resume: true })).toMatchObject({ step: 20 });
  });

  it("refuses a checkpoint that is damaged or another recipe's, and says what to do", async () => {
    await go("out", stopAfter(3));
    const good = readFileSync(at("out/checkpoint.safetensors"));
    const lines = readLog(at("out/log.jsonl")).length;
    writeFileSync(at("out/checkpoint.safetensors"), good.subarray(0, -8));
    await expect(go("out", { resume: true })).rejects.toMatchObject({
      code: "weights",
      message: expect.stringMatching(/the file is cut.*; or delete it, to begin anew/),
    });
    writeFileSync(
      at("out/checkpoint.safetensors"),
      good.toString("latin1").replace('\\"line\\"', '\\"lime\\"'),
      "latin1",
    );
    await expect(go("out", { resume: true })).rejects.toMatchObject({
      code: "option",
      message: expect.stringMatching(/is of "lime", this run is "line"/),
    });
    expect(readLog(at("out/log.jsonl"))).toHaveLength(lines);
  });
});

describe("dryRun", () => {
  it("says what a run will take, from a few steps, and writes nothing", async () => {
    const before = await readdir(folder);
    const estimate = await dryRun(loaded(), { engine, model, steps: 1000 });
    expect(estimate).toMatchObject({ steps: 1000, examples: 4000, tokens: 16_000, tried: 8 });
    expect(estimate.minutes).toBeGreaterThanOrEqual(0);
    expect(estimate.peakMemoryMB).toBeGreaterThan(10);
    await go("out");
    expect(estimate.checkpointBytes).toBeGreaterThan(300);
    expect(Math.abs(estimate.checkpointBytes - readFileSync(at("out/checkpoint.safetensors")).length)).toBeLessThan(16);
    expect(before).toEqual(["points.json", "start"]);
  });

  it("takes no more steps than the run has", async () => {
    expect(
      await dryRun(loaded({ steps: 2, optimizer: { ...line.optimizer, warmupSteps: 0 } }), { engine, model, steps: 2 }),
    ).toMatchObject({ tried: 2, examples: 8 });
  });
});
