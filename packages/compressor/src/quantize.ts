import type { Memory } from "@clara/core";

/** A memory in a quarter of the bytes: each vector in int8, with one scale. */
export interface QuantizedMemory extends Omit<Memory, "vectors"> {
  /** [M, D], row-major, from -127 to 127. */
  readonly values: Int8Array;
  /** [M] what one step of each vector is worth. */
  readonly scales: Float32Array;
}

/** Rounds each vector to 255 steps of its largest number. The result shares `tokens` and `spans` with the memory. */
export function quantizeMemory({ vectors, ...rest }: Memory): QuantizedMemory {
  const { count, width } = rest;
  const values = new Int8Array(count * width);
  const scales = new Float32Array(count);
  for (let m = 0; m < count; m++) {
    const vector = vectors.subarray(m * width, (m + 1) * width);
    const largest = vector.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    if (largest === 0) continue;
    scales[m] = largest / 127;
    values.set(
      vector.map((x) => Math.round((x * 127) / largest)),
      m * width,
    );
  }
  return { ...rest, values, scales };
}

/** Each number is off by at most half a step: a 254th of its vector's largest number. */
export function dequantizeMemory({ values, scales, ...rest }: QuantizedMemory): Memory {
  const vectors = Float32Array.from(values, (value, i) => value * scales[Math.floor(i / rest.width)]!);
  return { ...rest, vectors };
}
