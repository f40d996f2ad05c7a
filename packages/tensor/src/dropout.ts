import { ClaraError } from "@clara/core";
import { dims } from "./dims.ts";
import { fused, withGradient } from "./fused.ts";
import { murmur3 } from "./murmur3.ts";
import { tf } from "./tf.ts";

export interface DropoutOptions {
  /** Part that is dropped, at least 0 and below 1; 0 drops nothing. */
  readonly rate: number;
  /** 0 to 2³² - 1. Give every place of a model its own, or they drop the same entries. */
  readonly seed: number;
  /** int32 scalar: the training step. A tensor, so that a compiled graph can take another one at each run. */
  readonly step: tf.Scalar;
}

/**
 * Sets entries to 0 at random and divides the others by `1 - rate`, so that the mean stays.
 *
 * Which entries is a pure function of seed, step and index, on every backend: entry i is kept if
 * `murmur3(int64 i + step·2³², seed) ≥ rate·2³²`. A run can be repeated exactly, and resumed.
 *
 * @param x any shape, fewer than 2³² entries
 * @returns as `x`
 * @throws ClaraError "option" when `rate` or `seed` is out of range or `step` is not int32, "shape" when it is no scalar.
 * @see Srivastava et al. 2014, "Dropout", section 4. https://jmlr.org/papers/v15/srivastava14a.html
 */
export function dropout<T extends tf.Tensor>(x: T, { rate, seed, step }: DropoutOptions): T {
  if (!(rate >= 0 && rate < 1)) {
    throw new ClaraError("option", `dropout: rate must be at least 0 and below 1, got ${rate}`);
  }
  if (seed !== seed >>> 0) {
    throw new ClaraError("option", `dropout: seed must be an integer from 0 to 4294967295, got ${seed}`);
  }
  dims("dropout: step", step, []);
  if (step.dtype !== "int32") throw new ClaraError("option", `dropout: step must be int32, got ${step.dtype}`);
  if (rate === 0) return tf.clone(x);
  return tf.tidy(() =>
    withGradient(
      [x],
      () => {
        const attrs = { shape: x.shape, rate, seed };
        const mask = fused("ClaraDropoutMask", { step }, attrs, composedDropoutMask);
        return { value: tf.mul(x, mask) as T, saved: [mask] };
      },
      (dy, [mask]) => [tf.mul(dy, mask!)],
    ),
  );
}

/** "ClaraDropoutMask": float32 of `shape`, 0 where dropped, 1 / (1 - rate) where kept; by step, int32 []. */
export function composedDropoutMask(
  { step }: { step: tf.Tensor },
  { shape, rate, seed }: { shape: number[]; rate: number; seed: number },
): tf.Tensor {
  // Reads the step at once, which a graph could not: a backend that compiles brings the kernel. One that computes at once
  // has these four bytes at hand, and no operations on bits to hash with.
  const [count] = step.dataSync();
  const entry = new DataView(new ArrayBuffer(8));
  const bytes = new Uint8Array(entry.buffer);
  entry.setInt32(4, count!, true);
  const mask = Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => {
    entry.setUint32(0, i, true);
    return murmur3(bytes, seed) >= rate * 2 ** 32 ? 1 / (1 - rate) : 0;
  });
  return tf.tensor(mask, shape);
}
