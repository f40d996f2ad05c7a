export { type BertBatch, type EncodeBertOptions, encodeBert, encodeStates } from "./bert.ts";
export { bertEmbeddingArrays, bertLayerArrays, bertLayerWeights } from "./bert-arrays.ts";
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
export { type ByteSource, sourceOf } from "./byte-source.ts";
export { type ChatMessage, type ChatTemplateTokens, chatTemplate, type RenderChat } from "./chat-template.ts";
export { type ClaraPrompt, claraPrompt, paraphraseInstructions, questionsAndAnswers } from "./clara-prompts.ts";
export { type ClaraTokenizer, type ClaraTokenizerFiles, claraTokenizer } from "./clara-tokenizer.ts";
export { type DecodeOptions, type DecoderBatch, decode, decoderLogits, embedTokens } from "./decoder.ts";
export {
  adapterArrays,
  adapterTensors,
  adapterWeights,
  decoderArrays,
  decoderMapPaths,
  decoderTensors,
  type NamedTensor,
} from "./decoder-arrays.ts";
export { type Continued, type DecoderContinuation, decodeNext } from "./decoder-cache.ts";
export { type DecoderConfig, parseDecoderConfig } from "./decoder-config.ts";
export {
  type Compressed,
  type CompressOptions,
  compressRows,
  type PlaceMemoriesOptions,
  placeMemories,
} from "./decoder-memory.ts";
export {
  type DecoderAdapter,
  type DecoderLayer,
  type DecoderLinear,
  type DecoderParams,
  nestAdapter,
  nestDecoder,
  type PackedWeight,
} from "./decoder-params.ts";
export {
  type DecoderTokenizer,
  type DecoderTokenizerFiles,
  decoderTokenizer,
  type EncodeTextOptions,
} from "./decoder-tokenizer.ts";
export type { Encoder, TokenBatch } from "./encoder.ts";
export type { CompiledEncoder, EncoderEngine, EngineParams } from "./engine.ts";
export { toFloat32 } from "./float32.ts";
export { dequantizeRows, type QuantizedRows, quantizeRows } from "./quantize.ts";
export {
  type PackedArrays,
  packedPath,
  type QuantizeDecoderOptions,
  quantizeDecoder,
} from "./quantize-decoder.ts";
export { quantizeWeights } from "./quantize-weights.ts";
export {
  type Dtype,
  openSafetensors,
  readSafetensors,
  type SafeTensor,
  type SafeTensors,
  type StoredTensor,
  safetensorsHeader,
  writeSafetensors,
} from "./safetensors.ts";
export { openTorchFile, readTorchFile, type StoredTorchTensor, type TorchTensor } from "./torch-file.ts";
export { type TorchInput, type WriteTorchFileOptions, writeTorchFile, writeTorchTensor } from "./torch-file-writer.ts";
export { type ReadWeightsOptions, readWeights } from "./weights.ts";
export { type Encoding, type Tokenizer, type WordPieceOptions, wordPiece } from "./word-piece.ts";
