import { existsSync, readFileSync } from "node:fs";
import type { Weights } from "@clara/core";
import { tf } from "@clara/tensor";
import { decoderArrays } from "./decoder-arrays.ts";
import { type DecoderConfig, parseDecoderConfig } from "./decoder-config.ts";
import { type DecoderParams, nestDecoder } from "./decoder-params.ts";
import { toFloat32 } from "./float32.ts";
import { readSafetensors } from "./safetensors.ts";
import { readWeights } from "./weights.ts";

const folder = new URL("../../../../shared/fixtures/", import.meta.url);

/** Recorded values lie beside the repository, and not on every machine. */
export const haveFixtures: boolean = existsSync(folder);

export function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(new URL(path, folder), "utf8"));
}

/** Tensors of a safetensors file by name; ids become int32. The caller disposes them. */
export function readTensors(path: string): (name: string) => tf.Tensor {
  const { tensors } = readSafetensors(readFileSync(new URL(path, folder)));
  return (name) => {
    const found = tensors[name]!;
    const { dtype, shape, bytes } = found;
    if (dtype === "F32") return tf.tensor(toFloat32(found), [...shape]);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const long = dtype === "I64";
    const ids = Int32Array.from({ length: bytes.length / (long ? 8 : 4) }, (_, i) =>
      long ? Number(view.getBigInt64(8 * i, true)) : view.getInt32(4 * i, true),
    );
    return tf.tensor(ids, [...shape], "int32");
  };
}

export interface FixtureModel {
  readonly config: DecoderConfig;
  readonly arrays: Weights;
  readonly params: DecoderParams;
}

/** A decoder from a folder in Hugging Face's layout. The caller disposes `params`. */
export function readModel(path: string): FixtureModel {
  const config = parseDecoderConfig(readJson(`${path}/config.json`));
  const arrays = decoderArrays(readWeights(readFileSync(new URL(`${path}/model.safetensors`, folder))), config);
  const tensors = Object.entries(arrays).map(([name, { data, shape }]) => [name, tf.tensor(data, [...shape])]);
  return { config, arrays, params: nestDecoder(Object.fromEntries(tensors)) };
}
