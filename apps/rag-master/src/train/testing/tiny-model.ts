import { writeSafetensors } from "@clara/model";
import { type ModelFolder, writeModelFolder } from "../../model-folder.ts";

/** A tokenizer.json of five words. */
const tokenizer = {
  added_tokens: [],
  normalizer: {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: "BertPreTokenizer" },
  model: { type: "WordPiece", vocab: { "[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, line: 4 } },
};

/** A model folder of a few bytes: what a recipe is given to start from. */
export function writeTinyModel(folder: string, kept: readonly number[] = [1, 2]): Promise<ModelFolder> {
  const bytes = new Uint8Array(Float32Array.from(kept).buffer);
  return writeModelFolder(folder, {
    name: "start",
    config: { width: 4 },
    weights: writeSafetensors({ kept: { dtype: "F32", shape: [kept.length], bytes } }),
    tokenizer: new TextEncoder().encode(JSON.stringify(tokenizer)),
  });
}
