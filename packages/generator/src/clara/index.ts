export {
  answerFromCandidates,
  answerFromDocuments,
  type ChosenAnswer,
  type ClaraAnswers,
  type ClaraDocument,
  type ClaraModel,
  type CutInput,
  type FromCandidatesOptions,
  type ParaphraseOptions,
  paraphrase,
  type TextReader,
} from "./answers.ts";
export {
  type ClaraAnswer,
  type ClaraGenerateOptions,
  type ClaraGenerator,
  type ClaraGeneratorOptions,
  type ClaraTask,
  claraGenerator,
  type GivenMemory,
} from "./clara-generator.ts";
export { type MemoryGeneratorOptions, memoryGenerator } from "./memory-generator.ts";
export { type PromptIdsOptions, promptIds } from "./prompt-ids.ts";
export { type ChosenDocument, rankMemories } from "./rank-memories.ts";
export {
  generateFromCompressedDocumentsAndQuestions,
  generateFromParaphrase,
  generateFromQuestions,
  generateFromText,
} from "./reference-names.ts";
