import { ClaraError, type Memory } from "@clara/core";
import { high, low, type QuantizedMemory, rowBytes } from "./quantize.ts";

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
  if ("values" in memory && memory.bits === 4) {
    const row = rowBytes(width, 4);
    const even = evenly(query);
    for (let m = 0; m < count; m++) scores[m] = cosineOfHalves(even, querySquare, memory.values, m * row);
    return scores;
  }
  const numbers = "values" in memory ? memory.values : memory.vectors;
  for (let m = 0; m < count; m++) scores[m] = cosine(query, querySquare, numbers, m * width);
  return scores;
}

/** The best of `windowScores`: how close the closest part of the text is to the question, -1 to 1. */
export function maxCosine(query: Float32Array, memory: Memory | QuantizedMemory): number {
  return windowScores(query, memory).reduce((best, score) => Math.max(best, score), -1);
}

function cosine(query: Float32Array, querySquare: number, numbers: Float32Array | Int8Array, from: number): number {
  let dot = 0;
  let square = 0;
  for (let d = 0, i = from; d < query.length; d++, i++) {
    const x = numbers[i]!;
    dot += query[d]! * x;
    square += x * x;
  }
  return dot === 0 ? 0 : dot / Math.sqrt(square * querySquare);
}

/** @param query of even length */
function cosineOfHalves(query: Float32Array, querySquare: number, bytes: Int8Array, from: number): number {
  let dot = 0;
  let square = 0;
  for (let d = 0, i = from; d < query.length; d += 2, i++) {
    const byte = bytes[i]!;
    const x = low(byte);
    const y = high(byte);
    dot += query[d]! * x + query[d + 1]! * y;
    square += x * x + y * y;
  }
  return dot === 0 ? 0 : dot / Math.sqrt(square * querySquare);
}

/** With a zero behind it when its length is odd, as memories in 4 bits have. */
function evenly(query: Float32Array): Float32Array {
  if (query.length % 2 === 0) return query;
  const even = new Float32Array(query.length + 1);
  even.set(query);
  return even;
}
