import type { Weights } from "@clara/core";
import { quantizeRows } from "./quantize.ts";
import type { SafeTensor } from "./safetensors.ts";

/** Smaller matrices are heads: few bytes, and their rounding would show in every answer. */
const leastNumbers = 16_384;

/**
 * Weights as they are kept in a file: large matrices as int8 with one scale per row (`name` and `name.scale`), vectors,
 * small matrices and tables of positions as float32. `readWeights` multiplies them out again.
 *
 * @throws ClaraError "weights" when a matrix holds NaN or infinity.
 */
export function quantizeWeights(weights: Weights): Record<string, SafeTensor> {
  const out: Record<string, SafeTensor> = {};
  for (const [name, { data, shape }] of Object.entries(weights)) {
    if (shape.length === 2 && data.length >= leastNumbers && !/position/.test(name)) {
      const { values, scales } = quantizeRows(data, shape);
      out[name] = { dtype: "I8", shape, bytes: bytesOf(values) };
      out[`${name}.scale`] = { dtype: "F32", shape: [shape[0]!], bytes: bytesOf(scales) };
    } else out[name] = { dtype: "F32", shape, bytes: bytesOf(data) };
  }
  return out;
}

function bytesOf({ buffer, byteOffset, byteLength }: Int8Array | Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
