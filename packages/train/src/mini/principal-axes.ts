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

/**
 * The same space with axes that are mixed by Walsh and Hadamard's signs, in blocks of powers of two: each carries about as
 * much as the others, so that a few bits for each serve all of them.
 *
 * @param axes [D, count], row-major, columns orthonormal
 * @returns [D, count], row-major, columns orthonormal
 */
export function spreadAxes(axes: Float32Array, count: number): Float32Array {
  const mixed = Float64Array.from(axes);
  for (let from = 0; from < count; ) {
    const size = 2 ** Math.floor(Math.log2(count - from));
    for (let row = from; row < mixed.length; row += count) transform(mixed.subarray(row, row + size));
    from += size;
  }
  return Float32Array.from(mixed);
}

/** The fast Walsh-Hadamard transform of a power of two, in place, which keeps lengths. */
function transform(row: Float64Array): void {
  for (let half = 1; half < row.length; half *= 2) {
    for (let at = 0; at < row.length; at++) {
      if (at & half) continue;
      const [a, b] = [row[at]!, row[at + half]!];
      row[at] = (a + b) * Math.SQRT1_2;
      row[at + half] = (a - b) * Math.SQRT1_2;
    }
  }
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
