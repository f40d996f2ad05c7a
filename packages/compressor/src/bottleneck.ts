import type { Memory } from "@clara/core";

/** A linear map from the encoder's width D to a narrower one, d: what is stored of each memory token. */
export interface Bottleneck {
  /** [D, d], row-major. */
  readonly weight: Float32Array;
  /** d */
  readonly width: number;
}

/** Each row of `vectors` [M, D] through the bottleneck: [M, d]. A mean of rows goes the same way as the rows. */
export function narrow(vectors: Float32Array, { weight, width }: Bottleneck): Float32Array {
  const D = weight.length / width;
  const count = vectors.length / D;
  const narrowed = new Float32Array(count * width);
  for (let m = 0; m < count; m++) {
    const row = narrowed.subarray(m * width, (m + 1) * width);
    for (let i = 0; i < D; i++) {
      const x = vectors[m * D + i]!;
      for (let d = 0, at = i * width; d < width; d++, at++) row[d]! += x * weight[at]!;
    }
  }
  return narrowed;
}

export function narrowMemory(memory: Memory, bottleneck: Bottleneck): Memory {
  return { ...memory, width: bottleneck.width, vectors: narrow(memory.vectors, bottleneck) };
}
