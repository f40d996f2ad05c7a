import { ClaraError } from "@clara/core";

/** The learning rate of each step; `step` is how many steps have been done: 0 for the first. */
export type Schedule = (step: number) => number;

export interface WarmupOptions {
  /** Highest rate, at step `warmupSteps`. */
  readonly rate: number;
  /** Steps over which the rate grows from 0: step i has `rate · i / warmupSteps`, so step 0 changes nothing. @default 0 */
  readonly warmupSteps?: number;
  /** Steps in all, the warm-up included; from there on the rate is `floor`. */
  readonly totalSteps: number;
  /** Rate at the end. @default 0 */
  readonly floor?: number;
}

/** The same rate at every step. @throws ClaraError "option" for a rate that is negative or not finite. */
export function constantSchedule(rate: number): Schedule {
  check("constantSchedule", "rate", rate, 0);
  return () => rate;
}

/**
 * After the warm-up half a cosine, from `rate` to `floor`:
 * `floor + (rate - floor) · (1 + cos(π · progress)) / 2`, where progress is
 * `(step - warmupSteps) / (totalSteps - warmupSteps)`, at most 1.
 *
 * With floor 0 it is `get_cosine_schedule_with_warmup` of Hugging Face's Transformers, and with one
 * `get_cosine_with_min_lr_schedule_with_warmup`, up to `totalSteps`; after it, theirs rise again.
 *
 * @throws ClaraError "option" for impossible numbers.
 */
export function cosineSchedule(options: WarmupOptions): Schedule {
  return warmup("cosineSchedule", options, (progress) => (1 + Math.cos(Math.PI * progress)) / 2);
}

/**
 * After the warm-up a straight line, from `rate` to `floor`: `floor + (rate - floor) · (1 - progress)`, with `cosineSchedule`'s
 * progress. With floor 0 it is `get_linear_schedule_with_warmup` of Hugging Face's Transformers.
 *
 * @throws ClaraError "option" for impossible numbers.
 */
export function linearSchedule(options: WarmupOptions): Schedule {
  return warmup("linearSchedule", options, (progress) => 1 - progress);
}

function warmup(
  where: string,
  { rate, warmupSteps = 0, totalSteps, floor = 0 }: WarmupOptions,
  shape: (progress: number) => number,
): Schedule {
  check(where, "floor", floor, 0);
  check(where, "rate", rate, floor);
  checkWhole(where, "warmupSteps", warmupSteps, 0);
  checkWhole(where, "totalSteps", totalSteps, Math.max(1, warmupSteps));
  return (step) => {
    if (step < warmupSteps) return (rate * step) / warmupSteps;
    if (step >= totalSteps) return floor;
    return floor + (rate - floor) * shape((step - warmupSteps) / (totalSteps - warmupSteps));
  };
}

function check(where: string, name: string, value: number, least: number): void {
  if (value >= least && value < Number.POSITIVE_INFINITY) return;
  throw new ClaraError("option", `${where}: ${name} must be finite and at least ${least}, got ${value}`);
}

function checkWhole(where: string, name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new ClaraError("option", `${where}: ${name} must be an integer of at least ${least}, got ${value}`);
}
