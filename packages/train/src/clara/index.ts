export { alignmentLoss } from "../losses/alignment-loss.ts";
export { labelledRows, languageModelLoss, noLabel } from "../losses/language-model-loss.ts";
export { type RetrievalLossOptions, retrievalLoss } from "../losses/retrieval-loss.ts";
export {
  type ClaraBatchesOptions,
  type ClaraExample,
  type ClaraPartOptions,
  claraBatches,
  claraPart,
} from "./clara-batches.ts";
export { adapterNames, type ClaraParams, type ClaraShape, nestClara, type Role } from "./clara-params.ts";
export { addTokens, type FreshAdapterOptions, freshAdapter } from "./fresh.ts";
export {
  answerLoss,
  compressDocuments,
  compressQuestions,
  type EndToEndLossOptions,
  endToEndLoss,
  type GenerationInputs,
  type GenerationLossOptions,
  generationLoss,
  queryLoss,
  type SelectionInputs,
  type StageLossOptions,
  scoreDocuments,
} from "./stage-losses.ts";
export { taggedAnswers } from "./tagged-answers.ts";
export { type ClaraTaskOptions, compressionTask, endToEndTask, instructionTask } from "./tasks.ts";
