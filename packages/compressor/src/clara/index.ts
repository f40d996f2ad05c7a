export {
  type ClaraCompressor,
  type ClaraCompressorOptions,
  type ClaraTextOptions,
  claraCompressor,
} from "./clara-compressor.ts";
export { type CutText, type TextRow, textRow } from "./text-rows.ts";
