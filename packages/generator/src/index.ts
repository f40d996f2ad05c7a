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
export { type Fragment, layOut, questionTokens, type Sequence } from "./sequences.ts";
export { chooseWindows, type Overlap, type Pointed, type WindowOptions } from "./windows.ts";
export { wholeWords } from "./words.ts";
