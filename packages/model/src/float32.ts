import { ClaraError } from "@clara/core";
import type { SafeTensor } from "./safetensors.ts";

/**
 * A tensor's numbers as float32, in memory of their own. Exact: every float16 and bfloat16 is a float32.
 *
 * @throws ClaraError "weights" for integer types; quantised ones are read by `readWeights`.
 */
export function toFloat32({ dtype, bytes }: SafeTensor): Float32Array<ArrayBuffer> {
  if (dtype === "F32") return new Float32Array(copy(bytes).buffer);
  if (dtype === "F16") {
    const source = halves(bytes);
    const out = new Float32Array(source.length);
    table ??= Float32Array.from({ length: 65_536 }, (_, half) => decodeHalf(half));
    for (let i = 0; i < source.length; i++) out[i] = table[source[i]!]!;
    return out;
  }
  if (dtype === "BF16") {
    const out = new Uint32Array(bytes.length / 2);
    const source = halves(bytes);
    for (let i = 0; i < source.length; i++) out[i] = source[i]! << 16;
    return new Float32Array(out.buffer);
  }
  throw new ClaraError("weights", `toFloat32: dtype must be F32, F16 or BF16, got ${dtype}`);
}

/** All float16 numbers, made when first needed: a look-up is four times faster than the arithmetic. */
let table: Float32Array | undefined;

/** Sign 1 bit, exponent 5 bits with bias 15, fraction 10 bits. */
function decodeHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** A view of 16-bit units; a copy where the file lies at an odd address. */
function halves(bytes: Uint8Array): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : copy(bytes);
  return new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.length / 2);
}

/** Not `slice`: that of a Node.js Buffer is a view of the whole file. */
function copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
