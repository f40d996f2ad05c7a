import { ClaraError } from "@clara/core";
import { checkBits, checkBlockSize, type NBits } from "./mat-mul-n-bits.ts";

/** The values of an `NBitsWeight`, ready for `tf.tensor2d(packed, [N, K * bits / 32])` and `tf.tensor2d(scales, [N, K / blockSize])`. */
export interface QuantizedNBits {
  readonly packed: Int32Array;
  readonly scales: Float32Array;
}

/**
 * Rounds a weight to 4 or 8 bits an entry, symmetrically: `(code - 2^(bits - 1)) · scale`, so that 0 stays 0.
 *
 * With 4 bits there are 16 levels from -8 to 7, one more on one side. For each block both are tried: the entry of the largest
 * magnitude at level -8 (its scale then has the opposite sign, and may be negative) and at level ±7; the one with the smaller sum
 * of squared errors stays. On normally distributed weights the error is 8.4 % of the deviation for blocks of 32. With 8 bits, -128
 * to 127 in the same way, it is 0.5 %.
 *
 * @param weight row-major [N, K], the layout of a checkpoint's `[out, in]`
 * @param shape [N, K]; K is a multiple of `blockSize`
 * @param blockSize entries of a row that share a scale: a power of 2, at least 16
 * @throws ClaraError "shape" when the sizes disagree, "option" for a block size that cannot be, "weights" for NaN and infinities.
 */
export function quantizeNBits(
  weight: Float32Array,
  [N, K]: readonly [number, number],
  blockSize: number = 32,
  bits: NBits = 4,
): QuantizedNBits {
  checkBlockSize("quantizeNBits", blockSize);
  checkBits("quantizeNBits", bits);
  const [each, middle] = [32 / bits, 2 ** (bits - 1)];
  if (weight.length !== N * K) {
    throw new ClaraError("shape", `quantizeNBits: weight must hold ${N}·${K} entries, got ${weight.length}`);
  }
  if (K % blockSize !== 0) {
    throw new ClaraError("shape", `quantizeNBits: K must be a multiple of the block size ${blockSize}, got ${K}`);
  }
  const packed = new Int32Array(weight.length / each);
  const scales = new Float32Array(weight.length / blockSize);
  // Plain loops: a model has billions of entries.
  for (let block = 0; block < scales.length; block++) {
    const start = block * blockSize;
    const end = start + blockSize;
    let extreme = 0;
    let sum = 0;
    for (let at = start; at < end; at++) {
      const entry = weight[at]!;
      if (Math.abs(entry) > Math.abs(extreme)) extreme = entry;
      sum += entry * 0; // NaN when one of them is not finite
    }
    if (sum !== 0) throw new ClaraError("weights", `quantizeNBits: entries ${start} to ${end - 1} are not all finite`);
    const [wide, even] = [Math.fround(-extreme / middle), Math.fround(Math.abs(extreme) / (middle - 1))];
    const better = squaredError(weight, start, end, wide, middle) <= squaredError(weight, start, end, even, middle);
    const scale = better ? wide : even;
    scales[block] = scale;
    for (let at = start; at < end; at++) {
      packed[Math.floor(at / each)]! |= (level(weight[at]!, scale, middle) + middle) << (bits * (at % each));
    }
  }
  return { packed, scales };
}

function level(entry: number, scale: number, middle: number): number {
  return scale === 0 ? 0 : Math.min(middle - 1, Math.max(-middle, Math.round(entry / scale)));
}

function squaredError(weight: Float32Array, start: number, end: number, scale: number, middle: number): number {
  let sum = 0;
  for (let at = start; at < end; at++) {
    const entry = weight[at]!;
    sum += (entry - level(entry, scale, middle) * scale) ** 2;
  }
  return sum;
}
