import type { Engine } from "@clara/engine";
import { train } from "@clara/train";
import type { ModelFolder } from "../model-folder.ts";
import type { LoadedRecipe } from "./load-recipe.ts";
import { recentRates, sum } from "./rates.ts";
import { dataReader } from "./read-data.ts";
import { trainable } from "./starting-model.ts";
import type { LogEntry } from "./training-log.ts";

/** What a run will take, from a few of its steps. */
export interface Estimate {
  readonly steps: number;
  readonly examples: number;
  readonly tokens: number;
  readonly minutes: number;
  readonly examplesPerSecond: number;
  readonly tokensPerSecond: number;
  /** Of this process so far. */
  readonly peakMemoryMB: number;
  readonly checkpointBytes: number;
  /** Steps that were tried. */
  readonly tried: number;
  /** Of the first step. */
  readonly loss: number;
}

export interface DryRunOptions {
  readonly engine: Engine;
  readonly model: ModelFolder;
  readonly steps: number;
  readonly signal?: AbortSignal | undefined;
  /** @default 8 */
  readonly mostSteps?: number;
  /** Seconds after which no further step is tried. @default 60 */
  readonly mostSeconds?: number;
}

/** Takes a few steps and writes nothing. */
export async function dryRun(
  { recipe }: LoadedRecipe,
  { engine, model, steps, signal, mostSteps = 8, mostSeconds = 60 }: DryRunOptions,
): Promise<Estimate> {
  const { read } = dataReader(recipe.data, () => {});
  const entries: LogEntry[] = [];
  let checkpointBytes = 0;
  let from = performance.now();
  for await (const step of train(recipe, { engine, model: trainable(model), read, steps, signal })) {
    entries.push({ ...step, seconds: (performance.now() - from) / 1000 });
    if (entries.length === 1) checkpointBytes = (await step.checkpoint()).length;
    if (entries.length >= mostSteps || sum(entries, "seconds") >= mostSeconds) break;
    from = performance.now();
  }
  const { secondsPerStep, examplesPerSecond, tokensPerSecond } = recentRates(entries);
  const whole = (value: number): number => Math.round((value / entries.length) * steps);
  return {
    steps,
    examples: whole(sum(entries, "examples")),
    tokens: whole(sum(entries, "tokens")),
    minutes: Number(((steps * secondsPerStep) / 60).toFixed(1)),
    examplesPerSecond: Number(examplesPerSecond.toFixed(1)),
    tokensPerSecond: Math.round(tokensPerSecond),
    peakMemoryMB: Math.round(process.resourceUsage().maxRSS / 1024),
    checkpointBytes,
    tried: entries.length,
    loss: entries[0]!.loss,
  };
}
