import { ClaraError } from "@clara/core";
import {
  type DropoutOptions,
  dims,
  dropout,
  linear,
  matMulNBits,
  type NBits,
  type NBitsWeight,
  tf,
} from "@clara/tensor";
import type { DecoderAdapter, DecoderLinear, PackedWeight } from "./decoder-params.ts";

export interface ApplyLinearOptions {
  readonly adapter?: DecoderAdapter;
  readonly dropout?: DropoutOptions | undefined;
}

/**
 * A linear map of a decoder with the adapter's update of it, if there is one for its path.
 *
 * @param states [B, T, I]
 * @returns [B, T, O]
 * @throws ClaraError "shape" when I is not the map's.
 */
export function applyLinear(
  states: tf.Tensor3D,
  map: DecoderLinear,
  path: string,
  { adapter = {}, dropout: drop }: ApplyLinearOptions,
): tf.Tensor3D {
  const lora = adapter[path];
  if (map.weight && !(lora && drop)) return linear(states, map.weight, { bias: map.bias, lora });
  const y = applyBase(states, map, path);
  if (!lora) return y;
  dims(`decode: ${path}: lora.b`, lora.b, ["R", y.shape[2]]);
  const seed = drop && (drop.seed + Object.keys(adapter).indexOf(path)) >>> 0;
  const read = drop ? dropout(states, { ...drop, seed: seed! }) : states;
  return tf.add(y, tf.mul(linear(linear(read, lora.a), lora.b), lora.scale));
}

function applyBase(states: tf.Tensor3D, { weight, bias, packed, scales }: DecoderLinear, path: string): tf.Tensor3D {
  if (weight) return linear(states, weight, { bias });
  const y = matMulNBits(states, nBitsWeight(`decode: ${path}`, { packed, scales }, states.shape[2]));
  if (!bias) return y;
  dims(`decode: ${path}.bias`, bias, [y.shape[2]]);
  return tf.add(y, bias);
}

/**
 * A packed weight of a map from I numbers: bits and block size follow from the shapes.
 *
 * @throws ClaraError "shape" when they follow to nothing that can be.
 */
export function nBitsWeight(where: string, { packed, scales }: PackedWeight, I: number): NBitsWeight {
  const { O, words } = dims(`${where}.packed`, packed, ["O", "words"]);
  const { blocks } = dims(`${where}.scales`, scales, [O, "blocks"]);
  const [bits, blockSize] = [(words * 32) / I, I / blocks];
  if ((bits === 4 || bits === 8) && Number.isInteger(blockSize)) {
    return { packed, scales, blockSize, bits: bits as NBits };
  }
  throw new ClaraError(
    "shape",
    `${where}: packed [${packed.shape}] and scales [${scales.shape}] are no weight of 4 or 8 bits that maps from ${I} numbers`,
  );
}
