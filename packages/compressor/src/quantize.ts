import { ClaraError, type Memory } from "@clara/core";
import { fromFloat16, toFloat16 } from "./float16.ts";

/** A memory in a quarter or an eighth of the bytes: each vector in whole numbers, with one scale. */
export interface QuantizedMemory extends Omit<Memory, "vectors"> {
  /** Of one number: 8 for -127 to 127, 4 for -7 to 7. */
  readonly bits: 4 | 8;
  /**
   * [M, ceil(D·bits / 8)], row-major. With 4 bits a byte holds two numbers in two's complement, the first one in its low half;
   * where D is odd the last high half is 0.
   */
  readonly values: Int8Array;
  /** [M] what one step of each vector is worth: float16, as its bits. */
  readonly scales: Uint16Array;
}

export interface QuantizeOptions {
  /** @default 4 */
  readonly bits?: 4 | 8;
}

/**
 * Steps that a vector's largest number is tried to be worth. In 4 bits, cutting off the few largest numbers pays: the others
 * get finer steps. In 8 bits it does not.
 */
const tried: Readonly<Record<4 | 8, readonly number[]>> = {
  4: Array.from({ length: 15 }, (_, i) => 7 + i / 2),
  8: [127],
};

/**
 * Rounds each vector to whole steps, of the size that leaves the least squared error. The result shares `tokens` and `spans`
 * with the memory.
 *
 * @throws ClaraError "input" for numbers that are not finite, or too large for a scale in float16 (458,000 and more).
 */
export function quantizeMemory({ vectors, ...rest }: Memory, { bits = 4 }: QuantizeOptions = {}): QuantizedMemory {
  const { count, width } = rest;
  const most = bits === 4 ? 7 : 127;
  const values = new Int8Array(count * rowBytes(width, bits));
  const scales = new Uint16Array(count);
  const row = new Int8Array(width);
  for (let m = 0; m < count; m++) {
    const vector = vectors.subarray(m * width, (m + 1) * width);
    const largest = vector.reduce((top, x) => Math.max(top, Math.abs(x)), 0);
    let least = Number.POSITIVE_INFINITY;
    let best = 0;
    for (const steps of tried[bits]) {
      const half = toFloat16(largest / steps);
      const error = squaredError(vector, fromFloat16(half), most);
      if (error < least) [least, best] = [error, half];
    }
    if (least === Number.POSITIVE_INFINITY) {
      const found = `needs finite numbers that a scale in float16 can reach, got ${largest}`;
      throw new ClaraError("input", `quantizeMemory: vector ${m} ${found}; look at the model's weights`);
    }
    const scale = fromFloat16(best);
    // A scale of 0 is that of a vector of zeros, or of one so near that float16 cannot tell.
    if (scale === 0) continue;
    scales[m] = best;
    for (let d = 0; d < width; d++) row[d] = nearest(vector[d]! / scale, most);
    values.set(bits === 4 ? packed(row) : row, m * rowBytes(width, bits));
  }
  return { ...rest, bits, values, scales };
}

/** The memory that a quantised one stands for. */
export function dequantizeMemory(memory: QuantizedMemory): Memory {
  const { bits: _, values: __, scales: ___, ...rest } = memory;
  const { count, width } = rest;
  const vectors = new Float32Array(count * width);
  for (let m = 0; m < count; m++) unpack(memory, m, vectors.subarray(m * width, (m + 1) * width));
  return { ...rest, vectors };
}

/** Writes vector `m` into `out`, [D]. */
export function unpack({ bits, width, values, scales }: QuantizedMemory, m: number, out: Float32Array): void {
  const scale = fromFloat16(scales[m]!);
  const from = m * rowBytes(width, bits);
  if (bits === 8) {
    for (let d = 0; d < width; d++) out[d] = scale * values[from + d]!;
    return;
  }
  for (let d = 0; d < width; d++) {
    const byte = values[from + (d >> 1)]!;
    out[d] = scale * (d % 2 === 0 ? low(byte) : high(byte));
  }
}

export function rowBytes(width: number, bits: 4 | 8): number {
  return bits === 4 ? Math.ceil(width / 2) : width;
}

/** The number in the low half of a byte from an Int8Array. */
export function low(byte: number): number {
  return (byte << 28) >> 28;
}

/** The number in the high half of a byte from an Int8Array. */
export function high(byte: number): number {
  return byte >> 4;
}

function packed(row: Int8Array): Int8Array {
  return Int8Array.from({ length: Math.ceil(row.length / 2) }, (_, i) => {
    return (row[2 * i]! & 15) | ((row[2 * i + 1] ?? 0) << 4);
  });
}

/** @param steps a number in steps. @returns the nearest whole one that there is */
function nearest(steps: number, most: number): number {
  return Math.max(-most, Math.min(most, Math.floor(steps + 0.5)));
}

/** Not finite when a number or the scale is not. */
function squaredError(vector: Float32Array, scale: number, most: number): number {
  const perStep = scale === 0 ? 0 : 1 / scale;
  let sum = 0;
  for (let d = 0; d < vector.length; d++) {
    const x = vector[d]!;
    const error = x - scale * nearest(x * perStep, most);
    sum += error * error;
  }
  return sum;
}
