export { type CompressOptions, type Compressor, type CompressorOptions, createCompressor } from "./compressor.ts";
export { meanKey, rerate } from "./memory.ts";
export { dequantizeMemory, type QuantizedMemory, quantizeMemory } from "./quantize.ts";
export { maxCosine, windowScores } from "./scores.ts";
export type { CompressibleText } from "./segments.ts";
