export type { CompileOptions, Compiled } from "./compile.ts";
export {
  createEngine,
  type Engine,
  type EngineOptions,
  type RunOptions,
  type TensorFunction,
} from "./engine.ts";
export { type EngineName, type EngineSettings, engineNames } from "./options.ts";
export type { Params, ParamsOptions } from "./params.ts";
export type { Dtype } from "./program.ts";
export type { HostTensor, HostTensors, OptimizerState } from "./protocol.ts";
export type { Spec, Specs } from "./specs.ts";
export type { LossFunction, StepOptions, Trainer, TrainerOptions } from "./trainer.ts";
