import type { Memory } from "@clara/core";

/** The cosine of each memory token with a question's vector [D] of length 1; 0 for a token of zeros. */
export function windowCosines(query: Float32Array, { vectors, count, width }: Memory): number[] {
  return Array.from({ length: count }, (_, m) => {
    let dot = 0;
    let square = 0;
    for (let d = 0; d < width; d++) {
      const value = vectors[m * width + d]!;
      dot += value * query[d]!;
      square += value * value;
    }
    return square === 0 ? 0 : dot / Math.sqrt(square);
  });
}
