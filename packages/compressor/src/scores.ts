import { ClaraError, type Memory } from "@clara/core";
import { numbersOf, type QuantizedMemory, rowBytes } from "./quantize.ts";

/**
 * Cosine of a question with each memory token, [M]. Zeros give 0. Quantised memories are read as they are: a cosine does
 * not depend on the scale.
 *
 * @param query [D], of any length.
 * @throws ClaraError "shape" when the widths differ.
 */
export function windowScores(query: Float32Array, memory: Memory | QuantizedMemory): Float32Array {
  const { count, width } = memory;
  if (query.length !== width) {
    throw new ClaraError("shape", `windowScores: query must have the memory's width ${width}, got ${query.length}`);
  }
  let querySquare = 0;
  for (let d = 0; d < width; d++) querySquare += query[d]! * query[d]!;
  const scores = new Float32Array(count);
  if (!("values" in memory)) {
    for (let m = 0; m < count; m++) scores[m] = cosine(query, querySquare, memory.vectors.subarray(m * width));
    return scores;
  }
  const number = numbersOf(memory.bits);
  const steps = new Int8Array(width);
  const row = rowBytes(width, memory.bits);
  for (let m = 0; m < count; m++) {
    // A scale of 0 is that of zeros, which 2 bits have no number for.
    if (memory.scales[m] === 0) continue;
    const bytes = memory.values.subarray(m * row, (m + 1) * row);
    for (let d = 0; d < width; d++) steps[d] = number(bytes, d);
    scores[m] = cosine(query, querySquare, steps);
  }
  return scores;
}

/** The best of `windowScores`: how close the closest part of the text is to the question, -1 to 1. */
export function maxCosine(query: Float32Array, memory: Memory | QuantizedMemory): number {
  return windowScores(query, memory).reduce((best, score) => Math.max(best, score), -1);
}

function cosine(query: Float32Array, querySquare: number, numbers: Float32Array | Int8Array): number {
  let dot = 0;
  let square = 0;
  for (let d = 0; d < query.length; d++) {
    const x = numbers[d]!;
    dot += query[d]! * x;
    square += x * x;
  }
  return dot === 0 ? 0 : dot / Math.sqrt(square * querySquare);
}
