export { type Diagnosis, diagnose, type Trouble } from "./backends/diagnose.ts";
export { type CudaFindings, type CudaHost, cudaProviderNote, diagnoseCuda } from "./backends/ort-cuda.ts";
export type { Compiled, CompileOptions } from "./compile.ts";
export type { Decoder, DecoderOptions, GenerateOptions, Prompt } from "./decoder.ts";
export {
  createEngine,
  type Engine,
  type EngineOptions,
  type RunOptions,
  type TensorFunction,
} from "./engine.ts";
export {
  constantSchedule,
  cosineSchedule,
  linearSchedule,
  type Schedule,
  type WarmupOptions,
} from "./optimizer/schedules.ts";
export type { StepOptions } from "./optimizer/step-options.ts";
export { type EngineName, type EngineSettings, engineNames } from "./options.ts";
export type { Params, ParamsOptions } from "./params.ts";
export type { Dtype } from "./program.ts";
export type { HostTensor, HostTensors, OptimizerState, Token } from "./protocol.ts";
export type { InputsOf, Spec, Specs } from "./specs.ts";
export type { LossFunction, Trainer, TrainerOptions } from "./trainer.ts";
