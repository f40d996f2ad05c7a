import { createHash } from "node:crypto";
import { readSafetensors } from "@clara/model";
import { hashOf, type ModelFolder } from "./model-folder.ts";

/**
 * An id of all that turns a document into a memory: the tokenizer, the table of words, the compressor's layers and its
 * bottleneck. Packs made with one id can be asked with every model that has it, whatever its readers are.
 */
export function documentSideOf({ weights, tokenizer }: ModelFolder): string {
  const { tensors } = readSafetensors(weights);
  const hash = createHash("sha256").update(hashOf(tokenizer));
  for (const name of Object.keys(tensors).sort()) {
    if (/^(?:embeddings|compressor)\./.test(name)) hash.update(name).update(tensors[name]!.bytes);
  }
  return `memory+${hash.digest("hex").slice(0, 12)}`;
}
