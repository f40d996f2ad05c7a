import type { Weights } from "@clara/core";
import {
  cosineSchedule,
  type Engine,
  type HostTensors,
  type LossFunction,
  linearSchedule,
  type Params,
  type Schedule,
  type Specs,
} from "@clara/engine";
import type { Tokenizer } from "@clara/model";
import type { Batches } from "./train-steps.ts";
import { trapezoidSchedule } from "./trapezoid-schedule.ts";

/** What is trained: compressor, then reader on compressed documents, then selection and reader together. */
export type Stage = "compression" | "instruction" | "endToEnd";

/** All that decides what a training run does. A recipe is a file, `recipes/<name>.ts`, that exports one as its default. */
export interface Recipe {
  /** Of the file. */
  readonly name: string;
  readonly stage: Stage;
  /** What it makes, in a sentence. */
  readonly about: string;
  /** Steps of the optimizer. */
  readonly steps: number;
  /** Of everything that is drawn at random. */
  readonly seed: number;
  readonly optimizer: OptimizerSettings;
  /** What it reads, by name. Paths are relative to the folder that the command is run in. */
  readonly data: Readonly<Record<string, DataFile>>;
  /** Puts parameters into the engine, and says what is computed with them. */
  build(context: RecipeContext): Promise<Task>;
}

export interface OptimizerSettings {
  /** The highest. */
  readonly learningRate: number;
  /** How the rate falls after the warm-up; `trapezoid` is constant up to the last `decaySteps`. */
  readonly schedule: "constant" | "linear" | "cosine" | "trapezoid";
  readonly warmupSteps: number;
  /** Of `trapezoid`. */
  readonly decaySteps?: number;
  /** Lowest rate. @default 0 */
  readonly floor?: number;
  readonly weightDecay: number;
  /** Longest gradient: a longer one is scaled to it. */
  readonly clipNorm: number;
  /** @default 0.9 */
  readonly beta1?: number;
  /** @default 0.999 */
  readonly beta2?: number;
}

export interface DataFile {
  /** A file, gzipped or not. */
  readonly path: string;
  /** What it is and where it comes from. */
  readonly about: string;
  readonly licence: string;
}

/** What a recipe is given to build with. */
export interface RecipeContext {
  readonly engine: Engine;
  /** The model that training starts from. */
  readonly model: TrainableModel;
  /** The recipe's, or the one that a run was given instead. */
  readonly seed: number;
  /** Bytes of one of the recipe's data files, unpacked. */
  read(name: string): Promise<Uint8Array>;
}

/** A model folder in memory. */
export interface TrainableModel {
  /** config.json, parsed. */
  readonly config: Readonly<Record<string, unknown>>;
  /** float32, by the names in its weights file. */
  readonly weights: Weights;
  readonly tokenizer: Tokenizer;
}

/** What a recipe has built: a loss over parameters, and batches for it. */
export interface Task {
  readonly loss: LossFunction;
  readonly specs: Specs;
  readonly params: readonly Params[];
  /** As for `engine.trainer`. */
  readonly rate?: (name: string, shape: readonly number[]) => number;
  readonly leastSizes?: Readonly<Record<string, number>>;
  readonly batches: Batches;
  /** What config.json says of the trained model that it did not say of the one before. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** The tensors of the model that training has changed, by the names in its weights file. */
  weights(trained: HostTensors): Weights;
}

/** The learning rates of a recipe; the warm-up is that of `linearSchedule`. @throws ClaraError "option" for impossible numbers. */
export function scheduleOf(
  { learningRate: rate, schedule, warmupSteps, decaySteps = 0, floor = 0 }: OptimizerSettings,
  totalSteps: number,
): Schedule {
  const options = { rate, warmupSteps, totalSteps, floor };
  if (schedule === "cosine") return cosineSchedule(options);
  if (schedule === "linear") return linearSchedule(options);
  if (schedule === "trapezoid") return trapezoidSchedule({ ...options, decaySteps });
  // A line that ends where it is.
  return linearSchedule({ ...options, floor: rate });
}
