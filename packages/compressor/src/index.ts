export type { Bottleneck } from "./bottleneck.ts";
export {
  type ClaraCompressor,
  type ClaraCompressorOptions,
  type ClaraTextOptions,
  type CutText,
  claraCompressor,
  memoryCosine,
  type NearestTokensOptions,
  type NearToken,
  nearestTokens,
  type TextRow,
  type TokenTable,
  textRow,
} from "./clara/index.ts";
export {
  type CompressOptions,
  type Compressor,
  type CompressorOptions,
  createCompressor,
  type QueryStates,
} from "./compressor.ts";
export { meanKey, rerate } from "./memory.ts";
export {
  dequantizeMemory,
  type MemoryBits,
  type QuantizedMemory,
  type QuantizeOptions,
  quantizeMemory,
} from "./quantize.ts";
export { maxCosine, windowScores } from "./scores.ts";
export type { CompressibleText } from "./segments.ts";
