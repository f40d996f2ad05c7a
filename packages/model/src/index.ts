export { type BertBatch, type EncodeBertOptions, encodeBert } from "./bert.ts";
export { type BertConfig, parseBertConfig } from "./bert-config.ts";
export {
  type BertEmbeddings,
  type BertLayer,
  type BertParams,
  type BertParamsOptions,
  bertParams,
  type Linear,
  type Norm,
} from "./bert-params.ts";
export { toFloat32 } from "./float32.ts";
export { dequantizeRows, type QuantizedRows, quantizeRows } from "./quantize.ts";
export { type Dtype, readSafetensors, type SafeTensor, type SafeTensors, writeSafetensors } from "./safetensors.ts";
export { readWeights } from "./weights.ts";
export { type Encoding, type Tokenizer, type WordPieceOptions, wordPiece } from "./word-piece.ts";
