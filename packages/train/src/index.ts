export { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from "./checkpoint.ts";
export * from "./clara/index.ts";
export { candidateLoss, candidateScores } from "./losses/candidate-loss.ts";
export { type DistillationLossOptions, distillationLoss } from "./losses/distillation-loss.ts";
export { marginalSpanLoss } from "./losses/marginal-span-loss.ts";
export { type MemorySearchLossOptions, memorySearchLoss } from "./losses/memory-search-loss.ts";
export { spanLoss } from "./losses/span-loss.ts";
export { windowLoss } from "./losses/window-loss.ts";
export { type MemoryBatchesOptions, memoryBatches } from "./mini/memory-batches.ts";
export { type MemoryTaskOptions, memoryTask } from "./mini/memory-task.ts";
export { type PassageStates, type PassageStore, passageStore } from "./mini/passage-states.ts";
export { principalAxes } from "./mini/principal-axes.ts";
export { type QueryBatchesOptions, queryBatches } from "./mini/query-batches.ts";
export { type QueryTaskOptions, queryTask } from "./mini/query-task.ts";
export { type ReadingTaskOptions, readingTask } from "./mini/reading-task.ts";
export { type SearchBatchesOptions, searchBatches } from "./mini/search-batches.ts";
export { type SearchTaskOptions, searchTask } from "./mini/search-task.ts";
export { permutation, type Random, random } from "./random.ts";
export { type DrawOptions, drawExample, type ReadingExample, type ReadingMix } from "./reading/draw-example.ts";
export { readQed, readSpanLines, readSquad } from "./reading/read-spans.ts";
export { type ReadingBatchesOptions, readingBatches } from "./reading/reading-batches.ts";
export type { SpanRecord } from "./reading/span-record.ts";
export {
  type DataFile,
  type OptimizerSettings,
  type Recipe,
  type RecipeContext,
  type Stage,
  scheduleOf,
  type Task,
  type TrainableModel,
} from "./recipe.ts";
export * from "./records/index.ts";
export * from "./reference/index.ts";
export * from "./synthesize/index.ts";
export {
  type Check,
  type Checked,
  type CheckOptions,
  checkPairs,
  claraParaphrases,
  claraRecords,
  countVerdicts,
  type Draft,
  type DraftOptions,
  draftPairs,
  draftParaphrases,
  type Found,
  type Pair,
  type Paraphrase,
  type RuleName,
  recordWriter,
  ruleNames,
  type SynthesizedRecord,
  type ToRecordOptions,
  tokenF1,
  toLines,
  type UnanswerableOptions,
  type UnanswerablePair,
  unanswerablePairs,
  type Verdict,
  type VerdictCounts,
} from "./synthesize/index.ts";
export { type RecipeStep, type TrainOptions, train } from "./train.ts";
export {
  type Batches,
  type Position,
  type TrainingBatch,
  type TrainingStep,
  type TrainStepsOptions,
  trainSteps,
} from "./train-steps.ts";
export { trapezoidSchedule } from "./trapezoid-schedule.ts";
