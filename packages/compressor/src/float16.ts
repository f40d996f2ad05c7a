const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/**
 * The float16 nearest to a number, as its 16 bits; ties go to the even one.
 *
 * @param x not negative. From 65520 it is infinity, below 2^-25 zero.
 */
export function toFloat16(x: number): number {
  float[0] = x;
  // Exponents have a bias of 127 in float32 and of 15 in float16.
  const exponent = (bits[0]! >>> 23) - 112;
  const fraction = bits[0]! & 0x7fffff;
  if (Number.isNaN(x)) return 0x7e00;
  if (exponent >= 31) return 0x7c00;
  if (exponent <= 0) return roundToEven(float[0] * 2 ** 24);
  // A fraction that rounds up to 1 carries into the exponent, up to infinity: the right number each time.
  return (exponent << 10) + roundToEven(fraction / 8192);
}

/** What 16 bits of float16 say; the sign bit must be 0. */
export function fromFloat16(half: number): number {
  const exponent = half >> 10;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? Number.NaN : Number.POSITIVE_INFINITY;
  return exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function roundToEven(x: number): number {
  const down = Math.floor(x);
  const over = x - down;
  return over > 0.5 || (over === 0.5 && down % 2 === 1) ? down + 1 : down;
}
