export { memoryTokensOf, parseReferenceConfig, type ReferenceConfig, referenceConfig } from "./checkpoint-config.ts";
export {
  type ReferenceCheckpoint,
  type ReferenceFiles,
  readReferenceCheckpoint,
  type TypedWeights,
  type WriteReferenceOptions,
  writeReferenceCheckpoint,
} from "./checkpoint-files.ts";
export { type ReferenceDataset, type ReferenceRecords, referenceRecords } from "./reference-records.ts";
export { type ReferenceRun, type ReferenceRunOptions, referenceRun } from "./reference-run.ts";
export { referenceStages } from "./stage-names.ts";
