import { ClaraError, type Memory } from "@clara/core";
import { type QuantizedMemory, unpack } from "./quantize.ts";
import { cover } from "./windows.ts";

/** The search key [D] of a memory: the mean of all its passage's states, at length 1 (or zeros, for zeros). */
export function meanKey(memory: Memory | QuantizedMemory): Float32Array {
  const { count, width, tokens } = memory;
  const sum = new Float64Array(width);
  const unpacked = new Float32Array(width);
  for (let m = 0; m < count; m++) {
    if ("values" in memory) unpack(memory, m, unpacked);
    const vector = "values" in memory ? unpacked : memory.vectors.subarray(m * width, (m + 1) * width);
    const weight = tokens[m]!;
    for (let d = 0; d < width; d++) sum[d]! += weight * vector[d]!;
  }
  const norm = Math.sqrt(sum.reduce((total, x) => total + x * x, 0));
  // A mean and a sum point the same way, so the number of tokens does not matter.
  return Float32Array.from(sum, (x) => (norm > 0 ? x / norm : 0));
}

/**
 * A coarser memory from a finer one, as if the text had been compressed at that rate.
 *
 * @param rate a multiple of the memory's, at most 256.
 * @throws ClaraError "option" when it is not.
 */
export function rerate(memory: Memory, rate: number): Memory {
  const { width } = memory;
  const step = rate / memory.rate;
  if (!Number.isInteger(step) || step < 1 || rate > 256) {
    const needs = `a multiple of the memory's rate ${memory.rate}, at most 256`;
    throw new ClaraError(
      "option",
      `rerate: rate must be ${needs}, got ${rate}; compress the text again for another rate`,
    );
  }
  const count = Math.ceil(memory.count / step);
  const vectors = new Float32Array(count * width);
  const tokens = new Uint16Array(count);
  const spans = new Uint32Array(2 * count);
  for (let m = 0; m < count; m++) {
    const end = Math.min(memory.count, (m + 1) * step);
    const sum = new Float64Array(width);
    let total = 0;
    for (let from = m * step; from < end; from++) {
      const weight = memory.tokens[from]!;
      total += weight;
      for (let d = 0; d < width; d++) sum[d]! += weight * memory.vectors[from * width + d]!;
    }
    vectors.set(
      sum.map((x) => x / total),
      m * width,
    );
    tokens[m] = total;
    spans.set(cover(memory.spans.subarray(2 * m * step, 2 * end)), 2 * m);
  }
  return { rate, count, width, vectors, tokens, spans };
}
