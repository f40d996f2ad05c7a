import { random } from "../random.ts";

/**
 * The directions in which rows differ most, by orthogonal iteration on their second moments: rows count equally whatever their length,
 * and their mean is not taken off, because what is compared afterwards are cosines.
 *
 * @param rows each [D]
 * @returns [D, count], row-major, columns orthonormal
 */
export function principalAxes(rows: readonly Float32Array[], count: number, rounds = 60): Float32Array {
  const D = rows[0]!.length;
  const moments = new Float64Array(D * D);
  for (const row of rows) {
    const square = row.reduce((sum, x) => sum + x * x, 0);
    if (square === 0) continue;
    for (let i = 0; i < D; i++) {
      const x = row[i]! / square;
      for (let j = 0; j < D; j++) moments[i * D + j]! += x * row[j]!;
    }
  }
  const rng = random(D, count);
  let axes = Float64Array.from({ length: D * count }, () => rng.next() - 0.5);
  orthonormalize(axes, D, count);
  for (let round = 0; round < rounds; round++) {
    const next = new Float64Array(D * count);
    for (let i = 0; i < D; i++) {
      for (let j = 0; j < D; j++) {
        const x = moments[i * D + j]!;
        for (let k = 0; k < count; k++) next[i * count + k]! += x * axes[j * count + k]!;
      }
    }
    axes = next;
    orthonormalize(axes, D, count);
  }
  return Float32Array.from(axes);
}

/** Gram and Schmidt, in place, column by column. */
function orthonormalize(axes: Float64Array, D: number, count: number): void {
  for (let a = 0; a < count; a++) {
    for (let b = 0; b < a; b++) {
      let dot = 0;
      for (let i = 0; i < D; i++) dot += axes[i * count + a]! * axes[i * count + b]!;
      for (let i = 0; i < D; i++) axes[i * count + a]! -= dot * axes[i * count + b]!;
    }
    let square = 0;
    for (let i = 0; i < D; i++) square += axes[i * count + a]! ** 2;
    const length = Math.sqrt(square) || 1;
    for (let i = 0; i < D; i++) axes[i * count + a]! /= length;
  }
}
