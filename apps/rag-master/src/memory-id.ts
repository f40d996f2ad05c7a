import { createHash } from "node:crypto";
import { readSafetensors } from "@clara/model";
import { hashOf, type ModelFolder } from "./model-folder.ts";

/** What of config.json changes states without changing a tensor. */
const settings = ["layers", "heads", "layerNormEps"] as const;

/**
 * An id of all that turns a document into a memory: the tokenizer, the table of words, the compressor's layers and its
 * bottleneck, and how they are computed. Packs made with one id can be asked with every model that has it, whatever its readers are.
 */
export function documentSideOf({ config, weights, tokenizer }: ModelFolder): string {
  const { tensors } = readSafetensors(weights);
  const hash = createHash("sha256").update(hashOf(tokenizer));
  hash.update(JSON.stringify(settings.map((name) => config[name])));
  for (const name of Object.keys(tensors).sort()) {
    if (!/^(?:embeddings|compressor)\./.test(name)) continue;
    const { dtype, shape, bytes } = tensors[name]!;
    hash.update(JSON.stringify([name, dtype, shape])).update(bytes);
  }
  return `memory+${hash.digest("hex").slice(0, 12)}`;
}
