export { type Answer, type AnswerHit, type AnswerOptions, answer } from "./answer.ts";
export { type Citation, cite } from "./cite.ts";
export { defaultConfig, loadConfig, parseConfig, type RagConfig } from "./config/index.ts";
export type { GivenDocument } from "./corpus-of-texts.ts";
export type { EngineChoice } from "./engine.ts";
export type { Decision, RefusalReason } from "./guardrails.ts";
export type { IndexReport } from "./index-folder.ts";
export type { CutText } from "./model.ts";
export {
  createRagMaster,
  type RagAnswer,
  type RagMaster,
  type RagMasterOptions,
} from "./rag-master.ts";
