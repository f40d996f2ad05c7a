import { ClaraError, type Weights } from "@clara/core";
import { toFloat32 } from "./float32.ts";
import { dequantizeRows } from "./quantize.ts";
import { readSafetensors, type SafeTensor } from "./safetensors.ts";

export interface ReadWeightsOptions {
  /** Beginnings of names: other tensors are left out, and nothing is spent on them. @default all */
  readonly only?: readonly string[];
}

/**
 * Reads a safetensors file as float32. An I8 matrix `x` needs its companion `x.scale`, F32 with one number per row, and
 * comes back multiplied out; F16 and BF16 are converted; integers of other types are no weights.
 *
 * @throws ClaraError "weights" when the file is damaged or a scale is missing.
 */
export function readWeights(bytes: Uint8Array, { only = [""] }: ReadWeightsOptions = {}): Weights {
  const { tensors } = readSafetensors(bytes);
  const weights: [string, { shape: readonly number[]; data: Float32Array }][] = [];
  for (const [name, tensor] of Object.entries(tensors)) {
    if (!only.some((start) => name.startsWith(start))) continue;
    if (name.endsWith(".scale") && tensors[name.slice(0, -".scale".length)]?.dtype === "I8") continue;
    try {
      const data = tensor.dtype === "I8" ? multiplyOut(tensor, tensors[`${name}.scale`]) : toFloat32(tensor);
      weights.push([name, { shape: tensor.shape, data }]);
    } catch (cause) {
      throw new ClaraError("weights", `readWeights: tensor "${name}": ${(cause as Error).message}`, { cause });
    }
  }
  return Object.fromEntries(weights);
}

function multiplyOut({ bytes, shape }: SafeTensor, scale: SafeTensor | undefined): Float32Array<ArrayBuffer> {
  if (scale === undefined || scale.dtype !== "F32") {
    throw new ClaraError("weights", `an I8 matrix needs a companion ".scale" of F32, found ${scale?.dtype ?? "none"}`);
  }
  // A view where it can be: the largest matrix is 12 MB.
  const values = new Int8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);
  return dequantizeRows({ values, scales: toFloat32(scale) }, shape);
}
