import { type BertConfig, parseBertConfig } from "@clara/model";
import type { TrainableModel } from "../recipe.ts";

/** The shape of both stacks of layers. @throws ClaraError "weights" when config.json lacks a part of it. */
export function shapeOf({ config }: TrainableModel): BertConfig {
  return parseBertConfig(config);
}

/** Freezes the lowest layers, and lets other parameters learn faster than layers that have learnt before. */
export function layerRate(frozenLayers: number, others = 1): (name: string) => number {
  return (name) => {
    const layer = /^layers\.(\d+)\./.exec(name)?.[1];
    if (layer === undefined) return others;
    return Number(layer) < frozenLayers ? 0 : 1;
  };
}
