import { fileURLToPath } from "node:url";
import type { Weights } from "@clara/core";
import { mini } from "@clara/mini";
import { quantizeWeights, readSafetensors, readWeights, wordPiece, writeSafetensors } from "@clara/model";
import type { TrainableModel } from "@clara/train";
import { type ModelFolder, readModelFolder, writeModelFolder } from "../model-folder.ts";

/** The model that training starts from: a folder, or the embedded one. @throws ClaraError "weights". */
export function readStartingModel(folder: string | undefined): Promise<ModelFolder> {
  // The embedded model's data lie as a model folder does.
  return readModelFolder(folder ?? fileURLToPath(new URL(".", mini.files.config)));
}

export function trainable({ config, weights, tokenizer }: ModelFolder): TrainableModel {
  return {
    config,
    weights: readWeights(weights),
    // As it will be when questions are asked: "[SEP]" in a document is text.
    tokenizer: wordPiece(JSON.parse(new TextDecoder().decode(tokenizer)), { specialTokens: "text" }),
  };
}

/**
 * Writes the starting model with the tensors that have been trained in place of its own, or beside them. The others stay
 * as they were, byte for byte, and so does what config.json says, but for what the training says of it.
 */
export function writeTrainedModel(
  folder: string,
  name: string,
  start: ModelFolder,
  { weights: trained, config }: { readonly weights: Weights; readonly config?: Readonly<Record<string, unknown>> },
): Promise<ModelFolder> {
  const tensors = { ...readSafetensors(start.weights).tensors };
  for (const changed of Object.keys(trained)) {
    delete tensors[changed];
    delete tensors[`${changed}.scale`];
  }
  Object.assign(tensors, quantizeWeights(trained));
  const weights = writeSafetensors(tensors, { model: name, from: start.id });
  return writeModelFolder(folder, {
    name,
    config: { ...start.config, ...config },
    weights,
    tokenizer: start.tokenizer,
  });
}
