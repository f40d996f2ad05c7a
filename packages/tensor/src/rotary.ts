import { ClaraError } from "@clara/core";
import { dims } from "./dims.ts";
import { withGradient } from "./fused.ts";
import { tf } from "./tf.ts";

export interface RotaryOptions {
  /** [T], the same for the whole batch, or [B, T]. Counted from 0; int32 or float32. */
  readonly positions: tf.Tensor1D | tf.Tensor2D;
  /** Number of heads; divides the width into heads of an even width K. */
  readonly heads: number;
  /** Pair i turns by `base^(-2i/K)` radians a position. @default 10000 */
  readonly base?: number | undefined;
  /** Radians a position of each of the K/2 pairs, instead of `base`: for models that scale them (Llama 3). */
  readonly inverseFrequencies?: ArrayLike<number> | undefined;
}

/**
 * Rotary position embedding: turns the pairs of each head by an angle that grows with the position, so that the dot product
 * of a query and a key depends on how far apart they are.
 *
 * A pair is columns i and i + K/2 of a head, as in Llama and Mistral in Hugging Face's files; not 2i and 2i + 1.
 *
 * @param x [B, T, heads·K]
 * @returns as `x`
 * @throws ClaraError "shape" when the positions disagree, "option" when `heads` or `inverseFrequencies` do not fit the width.
 * @see Su et al. 2021, "RoFormer", section 3.2.2. https://arxiv.org/abs/2104.09864
 */
export function rotary(
  x: tf.Tensor3D,
  { positions, heads, base = 10_000, inverseFrequencies }: RotaryOptions,
): tf.Tensor3D {
  const { B, T, D } = dims("rotary: x", x, ["B", "T", "D"]);
  dims("rotary: positions", positions, positions.rank === 2 ? [B, T] : [T]);
  const half = D / heads / 2;
  if (!(heads >= 1) || !Number.isInteger(heads) || !Number.isInteger(half)) {
    throw new ClaraError("option", `rotary: heads must divide the width ${D} into even widths, got ${heads}`);
  }
  const frequencies = Float32Array.from(inverseFrequencies ?? { length: half }, (given: number | undefined, i) =>
    given === undefined ? base ** (-i / half) : given,
  );
  if (frequencies.length !== half) {
    throw new ClaraError("option", `rotary: inverseFrequencies must hold ${half} numbers, got ${frequencies.length}`);
  }
  return tf.tidy(() =>
    withGradient(
      [x],
      () => {
        const column = tf.reshape(tf.cast(positions, "float32"), [...positions.shape, 1, 1]); // [(B,) T, 1, 1]
        const angles = tf.mul(column, tf.tensor1d(frequencies)); // [(B,) T, 1, K/2], one for all heads
        const [cos, sin] = [tf.cos(angles), tf.sin(angles)] as [tf.Tensor, tf.Tensor];
        return { value: turn(x, heads, cos, sin), saved: [cos, sin] };
      },
      // A rotation's gradient is turned back: by minus the angle.
      (dy, [cos, sin]) => [turn(dy, heads, cos!, tf.neg(sin!))],
    ),
  );
}

function turn(x: tf.Tensor3D, heads: number, cos: tf.Tensor, sin: tf.Tensor): tf.Tensor3D {
  const [B, T, D] = x.shape;
  const half = D / heads / 2;
  const [first, second] = tf.split(tf.reshape(x, [B, T, heads, 2 * half]), 2, 3) as [tf.Tensor, tf.Tensor]; // [B, T, H, K/2]
  const turned = [
    tf.sub(tf.mul(first, cos), tf.mul(second, sin)),
    tf.add(tf.mul(second, cos), tf.mul(first, sin)),
  ] as tf.Tensor[];
  return tf.reshape(tf.concat(turned, 3), [B, T, D]);
}
