import { ClaraError } from "@clara/core";
import { dims } from "./dims.ts";
import { fused, withGradient } from "./fused.ts";
import { tf } from "./tf.ts";

/** Of an entry of a quantised weight. */
export type NBits = 4 | 8;

/**
 * A weight [N, K] of 4 or 8 bits an entry: entry (n, k) is `(code - 2^(bits - 1)) · scales[n, floor(k / blockSize)]`, its code
 * from 0 to 2^bits - 1. Constant.
 */
export type NBitsWeight = {
  /** [N, K·bits/32], int32: eight or four codes each, the lowest bits hold the lowest column. */
  packed: tf.Tensor2D;
  /** [N, K/blockSize], float32. */
  scales: tf.Tensor2D;
  /** Entries of a row that share a scale: a power of 2, at least 16. */
  blockSize: number;
  /** @default 4 */
  bits?: NBits | undefined;
};

type Attributes = { K: number; N: number; bits: number; blockSize: number };

/**
 * `x·weightᵀ` with a weight of 4 or 8 bits an entry, as `quantizeNBits` makes it. The gradient is that of `x` alone.
 *
 * @param x [..., K], rank 1 or more
 * @returns [..., N]
 * @throws ClaraError "shape" when K or the blocks disagree, "option" for a block size that cannot be or a wrong type.
 */
export function matMulNBits<T extends tf.Tensor>(x: T, { packed, scales, blockSize, bits = 4 }: NBitsWeight): T {
  checkBlockSize("matMulNBits", blockSize);
  checkBits("matMulNBits", bits);
  const { N, words } = dims("matMulNBits: packed", packed, ["N", "words"]);
  const K = (words * 32) / bits;
  dims("matMulNBits: scales", scales, [N, K / blockSize]);
  dims("matMulNBits: last dimension of x", { shape: x.shape.slice(-1) }, [K]);
  if (packed.dtype !== "int32") {
    throw new ClaraError("option", `matMulNBits: packed must be int32, got ${packed.dtype}`);
  }
  const attrs: Attributes = { K, N, bits, blockSize };
  return tf.tidy(() => {
    const rows: tf.Tensor = tf.reshape(x, [-1, K]); // [R, K]
    const y = withGradient(
      [rows],
      () => ({
        value: fused("ClaraMatMulNBits", { x: rows, packed, scales }, attrs, composedMatMulNBits),
        saved: [packed, scales],
      }),
      (dy, [packed, scales]) => {
        const inputs = { packed: packed!, scales: scales! };
        return [tf.matMul(dy, fused("ClaraDequantizeNBits", inputs, attrs, composedDequantizeNBits))];
      },
    );
    return tf.reshape(y, [...x.shape.slice(0, -1), N]) as T;
  });
}

/** Throws unless ONNX Runtime could use the block size too: a checkpoint must not depend on where it runs. */
export function checkBlockSize(where: string, blockSize: number): void {
  if (blockSize >= 16 && Number.isInteger(Math.log2(blockSize))) return;
  throw new ClaraError("option", `${where}: blockSize must be a power of 2 and at least 16, got ${blockSize}`);
}

export function checkBits(where: string, bits: number): void {
  if (bits === 4 || bits === 8) return;
  throw new ClaraError("option", `${where}: bits must be 4 or 8, got ${bits}`);
}

/** "ClaraMatMulNBits": x·Wᵀ [..., N] from x [..., K]. */
export function composedMatMulNBits(
  { x, packed, scales }: { x: tf.Tensor; packed: tf.Tensor; scales: tf.Tensor },
  attrs: Attributes,
): tf.Tensor {
  const weight = composedDequantizeNBits({ packed, scales }, attrs);
  const y = tf.matMul(tf.reshape(x, [-1, attrs.K]), weight, false, true);
  return tf.reshape(y, [...x.shape.slice(0, -1), attrs.N]);
}

/** "ClaraDequantizeNBits": W [N, K], float32. */
export function composedDequantizeNBits(
  { packed, scales }: { packed: tf.Tensor; scales: tf.Tensor },
  { N, K, bits, blockSize }: Attributes,
): tf.Tensor {
  // Reads the values at once: TensorFlow.js cannot shift bits, and these are constants.
  const words = packed.dataSync();
  const factors = scales.dataSync();
  const weight = new Float32Array(N * K);
  const [each, middle] = [32 / bits, 2 ** (bits - 1)];
  for (let i = 0; i < weight.length; i++) {
    const code = (words[Math.floor(i / each)]! >>> (bits * (i % each))) & (2 ** bits - 1);
    weight[i] = (code - middle) * factors[Math.floor(i / blockSize)]!; // K is a whole number of blocks, so rows need no care
  }
  return tf.tensor(weight, [N, K]);
}
