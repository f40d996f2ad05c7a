export {
  type ClaraCompressor,
  type ClaraCompressorOptions,
  type ClaraTextOptions,
  claraCompressor,
} from "./clara-compressor.ts";
export { memoryCosine } from "./memory-cosine.ts";
export { type NearestTokensOptions, type NearToken, nearestTokens, type TokenTable } from "./nearest-tokens.ts";
export { type CutText, type TextRow, textRow } from "./text-rows.ts";
