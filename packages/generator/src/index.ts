export { type ConfidenceFit, confidenceOf, logit } from "./confidence.ts";
export { type QuoteGeneratorOptions, quoteGenerator } from "./quote-generator.ts";
export { bestSpans, type ReadOptions, readSpans, type Span, type SpanHead, spanHead, spanLogits } from "./reader.ts";
export { type Fragment, layOut, questionTokens, type Sequence } from "./sequences.ts";
export { chooseWindows, type Overlap, type WindowOptions } from "./windows.ts";
export { wholeWords } from "./words.ts";
