type Quarters = [Float32Array, Float32Array, Float32Array, Float32Array];

/**
 * In double precision and in an order that depends on the length alone, so that a run can be repeated bit for bit.
 *
 * Four quarters at a time: an addition waits for the one before, and four do not wait for each other.
 */
export function sumOfSquares(array: Float32Array): number {
  const quarter = array.length >> 2;
  const [a, b, c, d] = [0, 1, 2, 3].map((i) => array.subarray(i * quarter, (i + 1) * quarter)) as Quarters;
  let sumA = 0;
  let sumB = 0;
  let sumC = 0;
  let sumD = 0;
  for (let i = 0; i < quarter; i++) {
    sumA += a[i]! * a[i]!;
    sumB += b[i]! * b[i]!;
    sumC += c[i]! * c[i]!;
    sumD += d[i]! * d[i]!;
  }
  for (let i = 4 * quarter; i < array.length; i++) sumA += array[i]! * array[i]!;
  return sumA + sumB + sumC + sumD;
}
