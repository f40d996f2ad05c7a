export { chooseSpan, type SpanWeights } from "./choose-span.ts";
export {
  answerFromCandidates,
  answerFromDocuments,
  type ChosenAnswer,
  type ChosenDocument,
  type ClaraAnswer,
  type ClaraAnswers,
  type ClaraDocument,
  type ClaraGenerateOptions,
  type ClaraGenerator,
  type ClaraGeneratorOptions,
  type ClaraModel,
  type ClaraTask,
  type CutInput,
  claraGenerator,
  type FromCandidatesOptions,
  type GivenMemory,
  generateFromCompressedDocumentsAndQuestions,
  generateFromParaphrase,
  generateFromQuestions,
  generateFromText,
  type MemoryGeneratorOptions,
  memoryGenerator,
  type ParaphraseOptions,
  type PromptIdsOptions,
  paraphrase,
  promptIds,
  rankMemories,
  type TextReader,
} from "./clara/index.ts";
export { type ConfidenceFit, confidenceOf, logit } from "./confidence.ts";
export {
  type AskedStates,
  type MemoryReader,
  type MemoryReaderOptions,
  type MemoryText,
  memoryReader,
  memoryReaderArrays,
  nestMemoryReader,
} from "./memory-reader.ts";
export { type QuoteGeneratorOptions, quoteGenerator } from "./quote-generator.ts";
export {
  type MemoryBatch,
  type MemoryReaderParams,
  type PointerBatch,
  pointerLogits,
  readMemories,
  windowLogits,
} from "./read-memories.ts";
export { bestSpans, type ReadOptions, readSpans, type Span, type SpanHead, spanHead, spanLogits } from "./reader.ts";
export { type ChatGeneratorOptions, chatGenerator } from "./remote/chat-generator.ts";
export type { ChatPromptOptions } from "./remote/chat-prompt.ts";
export type { Clock } from "./remote/clock.ts";
export {
  type Completion,
  type RemoteModel,
  type RemoteModelOptions,
  type RemoteOptions,
  remoteModel,
} from "./remote/completion.ts";
export type { EndpointOptions, EndpointWords } from "./remote/endpoint.ts";
export {
  type EmbeddingRow,
  type PromptEmbeddingsOptions,
  promptEmbeddings,
  tableRows,
} from "./remote/prompt-embeddings.ts";
export {
  type ClaraMemoryPromptOptions,
  claraMemoryPrompt,
  type MemoryPrompt,
  type RemoteGeneratorOptions,
  remoteGenerator,
} from "./remote/remote-generator.ts";
export { type PromptDtype, torchTensor } from "./remote/torch-tensor.ts";
export { type Fragment, layOut, questionTokens, type Sequence } from "./sequences.ts";
export { type ChooseFragments, type WindowChooserOptions, windowChooser } from "./window-chooser.ts";
export { chooseWindows, type Overlap, type Pointed, type WindowOptions } from "./windows.ts";
export { wholeWords } from "./words.ts";
