import { ClaraError, type Memory } from "@clara/core";
import type { QuantizedMemory } from "./quantize.ts";

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
  const numbers = "values" in memory ? memory.values : memory.vectors;
  let querySquare = 0;
  for (let d = 0; d < width; d++) querySquare += query[d]! * query[d]!;
  const scores = new Float32Array(count);
  for (let m = 0; m < count; m++) {
    let dot = 0;
    let square = 0;
    for (let d = 0, i = m * width; d < width; d++, i++) {
      const x = numbers[i]!;
      dot += query[d]! * x;
      square += x * x;
    }
    scores[m] = dot === 0 ? 0 : dot / Math.sqrt(square * querySquare);
  }
  return scores;
}

/** The best of `windowScores`: how close the closest part of the text is to the question, -1 to 1. */
export function maxCosine(query: Float32Array, memory: Memory | QuantizedMemory): number {
  return windowScores(query, memory).reduce((best, score) => Math.max(best, score), -1);
}
