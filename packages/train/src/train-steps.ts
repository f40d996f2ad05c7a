import { ClaraError, throwIfAborted } from "@clara/core";
import type { HostTensors, OptimizerState, Schedule, StepOptions, Trainer } from "@clara/engine";

/** Where in its data a run is: enough to go on with the next batch as if it had never stopped. */
export interface Position {
  readonly epoch: number;
  /** Examples of the epoch that have been used. */
  readonly cursor: number;
}

/** The examples of one step. */
export interface TrainingBatch {
  /** Inputs of the loss, one record for each part: examples of like length, computed one part after the other. */
  readonly parts: readonly HostTensors[];
  /** What the sum of the parts' losses is divided by. */
  readonly divisor: number;
  /** Tokens that are not padding. */
  readonly tokens: number;
  readonly examples: number;
  /** Names of the examples, for errors. */
  readonly ids: readonly string[];
  /** The position after this batch. */
  readonly next: Position;
}

/** Batches from a position on, without end. */
export type Batches = (from: Position) => AsyncIterable<TrainingBatch> | Iterable<TrainingBatch>;

export interface TrainStepsOptions {
  readonly trainer: Pick<Trainer, "accumulate" | "step">;
  readonly batches: Batches;
  readonly schedule: Schedule;
  /** Steps in all, those before `from` included. */
  readonly steps: number;
  /** Where a run that is resumed goes on. @default the beginning */
  readonly from?: { readonly step: number; readonly position: Position } | undefined;
  /** Passed on to every step. */
  readonly optimizer?: Omit<StepOptions, "learningRate" | "divisor">;
  readonly signal?: AbortSignal | undefined;
}

/** What one step has done. */
export interface TrainingStep {
  /** Steps done, from 1. */
  readonly step: number;
  /** Mean loss of the step's examples. */
  readonly loss: number;
  /** Norm of the gradient before clipping. */
  readonly norm: number;
  readonly learningRate: number;
  readonly tokens: number;
  readonly examples: number;
  /** The loss function's other outputs of one number, each the mean like `loss`. */
  readonly measures: Readonly<Record<string, number>>;
  readonly position: Position;
}

/** The numbers a run goes on from, beside the parameters. */
export interface TrainingState {
  readonly step: number;
  readonly position: Position;
  readonly optimizer: OptimizerState;
}

/**
 * Trains step by step: the caller prints, saves and stops.
 *
 * A batch is computed in parts whose gradients really add up: the sum of the parts' losses over `divisor`.
 *
 * @throws ClaraError "input" when a loss or gradient is not finite, with the batch's examples named; the parameters are
 *   then those after the last good step. "aborted" when the signal fires, and what the trainer throws.
 */
export async function* trainSteps({
  trainer,
  batches,
  schedule,
  steps,
  from = { step: 0, position: { epoch: 0, cursor: 0 } },
  optimizer = {},
  signal,
}: TrainStepsOptions): AsyncGenerator<TrainingStep, void, void> {
  let done = from.step;
  if (done >= steps) return;
  for await (const batch of batches(from.position)) {
    let loss = 0;
    const measures: Record<string, number> = {};
    for (const part of batch.parts) {
      throwIfAborted(signal, "trainSteps");
      const result = await trainer.accumulate(part, { signal });
      loss += result.loss;
      for (const [name, { data }] of Object.entries(result.outputs)) {
        if (data.length === 1) measures[name] = (measures[name] ?? 0) + data[0]! / batch.divisor;
      }
    }
    if (!Number.isFinite(loss)) throw notFinite(`the loss is ${loss}`, done + 1, batch);
    const learningRate = schedule(done);
    const { norm } = await trainer
      .step({ weightDecay: 0, ...optimizer, learningRate, divisor: batch.divisor })
      .catch((error: unknown) => {
        const explained = error instanceof ClaraError && /norm/.test(error.message);
        throw explained ? notFinite("the gradient is not finite", done + 1, batch, error) : error;
      });
    done += 1;
    const { tokens, examples, next } = batch;
    yield { step: done, loss: loss / batch.divisor, norm, learningRate, tokens, examples, measures, position: next };
    if (done >= steps) return;
  }
}

function notFinite(what: string, step: number, { ids }: TrainingBatch, cause?: unknown): ClaraError {
  const named = ids.length > 12 ? `${ids.slice(0, 12).join(", ")} and ${ids.length - 12} more` : ids.join(", ");
  return new ClaraError(
    "input",
    `train: step ${step}: ${what}, in the batch of ${named}; lower the learning rate, or look at these examples`,
    { cause },
  );
}
