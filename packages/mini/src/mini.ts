import { type Calibration, calibration } from "./calibration.ts";
import { bytes, config, id, sha256 } from "./identity.ts";

export interface Mini {
  /** Model, version and the start of the weights' sha256. Memories made by another id cannot be compared with these. */
  readonly id: string;
  /** The shape of both stacks, in the words of `BertConfig` in `@clara/model`. */
  readonly config: {
    readonly width: number;
    readonly layers: number;
    readonly heads: number;
    readonly feedForward: number;
    readonly vocabulary: number;
    readonly positions: number;
    readonly layerNormEps: number;
  };
  /** Where the files are, in this package. */
  readonly files: { readonly weights: URL; readonly tokenizer: URL; readonly config: URL; readonly card: URL };
  /** Of the files, hex. */
  readonly sha256: { readonly weights: string; readonly tokenizer: string };
  /** What turns this model's scores into probabilities. */
  readonly calibration: Calibration;
  /** Of the files. */
  readonly bytes: { readonly weights: number; readonly tokenizer: number };
}

/** The embedded model: addresses and identity of its files. Reading them is the caller's. */
export const mini: Mini = {
  id,
  config,
  files: {
    // src/ and dist/ are both one level below the package, so the same addresses work from both.
    weights: new URL("../data/mini.safetensors", import.meta.url),
    tokenizer: new URL("../data/tokenizer.json", import.meta.url),
    config: new URL("../data/config.json", import.meta.url),
    card: new URL("../MODEL_CARD.md", import.meta.url),
  },
  sha256,
  calibration,
  bytes,
};
