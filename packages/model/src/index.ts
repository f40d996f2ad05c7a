export { type BertBatch, type EncodeBertOptions, encodeBert } from "./bert.ts";
export { bertEmbeddingArrays, bertLayerArrays } from "./bert-arrays.ts";
export { type BertConfig, parseBertConfig } from "./bert-config.ts";
export { bertEmbeddings, type EngineEmbeddings } from "./bert-embeddings.ts";
export { type BertEncoderOptions, bertEncoder } from "./bert-encoder.ts";
export {
  type BertEmbeddings,
  type BertLayer,
  type BertParams,
  type BertParamsOptions,
  bertParams,
  type Linear,
  type Norm,
  nestBert,
} from "./bert-params.ts";
export type { Encoder, TokenBatch } from "./encoder.ts";
export type { CompiledEncoder, EncoderEngine, EngineParams } from "./engine.ts";
export { toFloat32 } from "./float32.ts";
export { dequantizeRows, type QuantizedRows, quantizeRows } from "./quantize.ts";
export { type Dtype, readSafetensors, type SafeTensor, type SafeTensors, writeSafetensors } from "./safetensors.ts";
export { type ReadWeightsOptions, readWeights } from "./weights.ts";
export { type Encoding, type Tokenizer, type WordPieceOptions, wordPiece } from "./word-piece.ts";
