export {
  type Check,
  type Checked,
  type CheckOptions,
  checkPairs,
  countVerdicts,
  type Found,
  type Verdict,
  type VerdictCounts,
} from "./check-pairs.ts";
export { type Draft, type DraftOptions, draftPairs } from "./draft-pairs.ts";
export { tokenF1 } from "./f1.ts";
export { type Pair, type RuleName, ruleNames, type UnanswerablePair } from "./pair.ts";
export { draftParaphrases, type Paraphrase } from "./paraphrase.ts";
export {
  claraParaphrases,
  claraRecords,
  recordWriter,
  type SynthesizedRecord,
  type ToRecordOptions,
  toLines,
} from "./to-lines.ts";
export { type UnanswerableOptions, unanswerablePairs } from "./unanswerable-pairs.ts";
