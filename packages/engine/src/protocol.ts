import type { ClaraErrorCode } from "@clara/core";
import type { CacheShape } from "./decode/cache.ts";
import type { EngineName, EngineSettings } from "./options.ts";
import type { Data, Dtype, Program } from "./program.ts";
import type { Sizes } from "./size.ts";

/** Numbers and their shape, row-major: what crosses between threads. */
export interface HostTensor {
  readonly data: Data;
  readonly shape: readonly number[];
}

export type HostTensors = Readonly<Record<string, HostTensor>>;

/** Where the numbers of a store come from. */
export type ParamSource = { readonly arrays: HostTensors } | { readonly file: string };

/** What the main thread asks of the worker, and what it is answered. Requests are answered one by one, in order. */
export interface Requests {
  open: { ask: { engine: EngineName; settings: EngineSettings }; answer: { details: string } };
  params: {
    ask: { id: number; source: ParamSource; trainable: boolean };
    answer: Readonly<Record<string, { shape: readonly number[]; dtype: Dtype }>>;
  };
  read: { ask: { id: number; names?: readonly string[] }; answer: HostTensors };
  write: { ask: { id: number; values: HostTensors }; answer: undefined };
  recall: { ask: { key: string }; answer: unknown };
  keep: { ask: { key: string; value: unknown }; answer: undefined };
  load: {
    ask: { id: number; program: Program; params: readonly number[]; options: LoadOptions };
    answer: { milliseconds: number };
  };
  run: { ask: { id: number; inputs: HostTensors; sizes: Sizes }; answer: HostTensors };
  release: { ask: { id: number }; answer: undefined };
  trainer: {
    ask: { id: number; program: Program; params: readonly number[]; options: LoadOptions; groups: Groups };
    answer: undefined;
  };
  accumulate: { ask: { id: number; inputs: HostTensors; sizes: Sizes }; answer: HostTensors };
  forget: { ask: { id: number }; answer: undefined };
  step: { ask: { id: number; rates: StepRates }; answer: { norm: number; step: number } };
  state: { ask: { id: number }; answer: OptimizerState };
  restore: { ask: { id: number; state: OptimizerState }; answer: undefined };
  decoder: {
    ask: {
      id: number;
      step: Program;
      prompt?: Program;
      params: readonly number[];
      options: LoadOptions;
      cache: CacheShape;
    };
    answer: undefined;
  };
  /** Parts: lists of `Token`. */
  generate: { ask: GenerateRequest; answer: undefined };
}

export type RequestKind = keyof Requests;
export type Request<K extends RequestKind = RequestKind> = { [P in K]: { readonly kind: P } & Requests[P]["ask"] }[K];

/** The worker's answer: a value, or why there is none. Parts may come before it. */
export type Reply =
  | { readonly value: unknown }
  | { readonly failure: string; readonly code?: ClaraErrorCode }
  | { readonly part: unknown };

export interface GenerateRequest {
  readonly id: number;
  /** Ids, or the inputs of the prompt's function for one sequence with their sizes. */
  readonly prompts: readonly (Int32Array | { readonly inputs: HostTensors; readonly sizes: Sizes })[];
  /** Tokens of each prompt. */
  readonly lengths: readonly number[];
  /** One for each prompt. */
  readonly seeds: readonly number[];
  readonly stop: readonly number[];
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP: number;
  readonly logProbabilities: boolean;
}

/** A token of an answer. */
export interface Token {
  /** Which prompt it follows. */
  readonly row: number;
  readonly id: number;
  /** Natural logarithm; when it was asked for. */
  readonly logProbability?: number;
}

/** Frozen weights that are copied into the order that matrix products read fastest: all, those of 4 or 8 bits, or none. */
export type Prepack = boolean | "packed";

export interface LoadOptions {
  readonly prepack: Prepack;
  /** @see CompileOptions */
  readonly roundInputs?: boolean | undefined;
}

/** Per trained parameter: how much of the learning rate and of the weight decay it takes. */
export type Groups = Readonly<Record<string, { readonly rate: number; readonly decay: number }>>;

export interface StepRates {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Largest global norm of the gradient; Infinity for no limit. */
  readonly clipNorm: number;
  /** What the sum of the accumulated gradients is divided by. */
  readonly divisor: number;
}

/** All that an optimizer must remember, by parameter: restored, it goes on bit for bit. */
export interface OptimizerState {
  readonly step: number;
  readonly moments: Readonly<Record<string, { readonly first: Float32Array; readonly second: Float32Array }>>;
}
