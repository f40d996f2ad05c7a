import { describe, expect, it } from "vitest";
import { attention, tf } from "./index.ts";
import { checkGradient, expectClose, expectNoLeaks } from "./testing.ts";

describe("attention", () => {
  const q = tf.tensor3d([0.1, 0.2, -0.3, 0.4, 0.5, -0.6, 0.7, 0.8, -0.9, 1, 1.1, 1.2], [1, 3, 4]);
  const k = tf.tensor3d([0.9, -0.8, 0.7, 0.6, -0.5, 0.4, 0.3, 0.2, 0.1, 0, -0.1, 0.3], [1, 3, 4]);
  const v = tf.tensor3d([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [1, 3, 4]);

  /** The textbook sums in double precision, one head of two columns. */
  function byHand(keep: number[]): number[] {
    const [Q, K, V] = [q, k, v].map((x) => Array.from(x.dataSync()));
    const out = new Array<number>(12).fill(0);
    for (const head of [0, 1]) {
      for (const t of [0, 1, 2]) {
        const weights = [0, 1, 2].map((s) => {
          const dot = [0, 1].reduce((sum, i) => sum + Q![t * 4 + head * 2 + i]! * K![s * 4 + head * 2 + i]!, 0);
          return keep[s]! * Math.exp(dot / Math.SQRT2);
        });
        const total = weights.reduce((a, b) => a + b);
        for (const i of [0, 1]) {
          const column = head * 2 + i;
          out[t * 4 + column] = weights.reduce((sum, w, s) => sum + (w / total) * V![s * 4 + column]!, 0);
        }
      }
    }
    return out;
  }

  it("averages the values by the softmax of scaled dot products, head by head", () => {
    expectClose(attention(q, k, v, { heads: 2 }), tf.tensor3d(byHand([1, 1, 1]), [1, 3, 4]));
  });

  it("leaves masked keys out, whatever the type of the mask", () => {
    const expected = byHand([1, 0, 1]);
    expectClose(attention(q, k, v, { heads: 2, mask: tf.tensor2d([1, 0, 1], [1, 3]) }), expected);
    expectClose(attention(q, k, v, { heads: 2, mask: tf.tensor2d([1, 0, 1], [1, 3], "int32") }), expected);
    expectClose(attention(q, k, v, { heads: 2, mask: tf.tensor2d([1, 0, 1], [1, 3], "bool") }), expected);
  });

  it("masks for each token alone when the mask has a row for each", () => {
    const causal = tf.tensor3d([1, 0, 0, 1, 1, 0, 1, 1, 1], [1, 3, 3]);
    const y = attention(q, k, v, { heads: 2, mask: causal });
    expectClose(tf.slice(y, [0, 0, 0], [1, 1, 4]), [1, 2, 3, 4]); // the first token sees itself only
    expectClose(tf.slice(y, [0, 2, 0], [1, 1, 4]), byHand([1, 1, 1]).slice(8));
  });

  it("keeps the examples of a batch apart", () => {
    const two = (x: tf.Tensor3D): tf.Tensor3D => tf.concat([x, tf.mul(x, 0.5) as tf.Tensor3D], 0);
    const mask = tf.tensor2d([1, 0, 1, 1, 1, 1], [2, 3]);
    const y = attention(two(q), two(k), two(v), { heads: 2, mask });
    expectClose(tf.slice(y, [0, 0, 0], [1, 3, 4]), byHand([1, 0, 1]));
  });

  it("reads another sequence when keys and values have their own length", () => {
    const y = attention(tf.slice(q, [0, 1, 0], [1, 1, 4]), k, v, { heads: 2, mask: tf.tensor2d([1, 0, 1], [1, 3]) });
    expectClose(y, byHand([1, 0, 1]).slice(4, 8));
  });

  it("has the right gradients for queries, keys and values, with a mask", () => {
    const mask = tf.tensor2d([1, 0, 1], [1, 3]);
    const mix = tf.tensor3d([1, -2, 3, 4, 5, -6, 7, 8, 9, -1, 2, 3], [1, 3, 4]);
    checkGradient(
      (q, k, v) => tf.sum(tf.mul(mix, attention(q, k, v, { heads: 2, mask }))),
      [q, k, v] as const,
      { step: 0.05 }, // values of tens and small gradients: rounding needs the larger step
    );
  });

  it("stays finite when every key is masked", () => {
    const mask = tf.zeros<tf.Rank.R2>([1, 3]);
    const { value, grad } = tf.valueAndGrad((q: tf.Tensor) =>
      tf.sum(attention(q as tf.Tensor3D, k, v, { heads: 2, mask })),
    )(q);
    expect(Number.isFinite(value.dataSync()[0])).toBe(true);
    expect(Array.from(grad.dataSync()).every(Number.isFinite)).toBe(true);
  });

  it("leaves nothing behind", () => {
    const mask = tf.tensor2d([1, 0, 1], [1, 3]);
    expectNoLeaks(() => attention(q, k, v, { heads: 2, mask }));
  });

  it("names what does not fit", () => {
    const narrow = tf.zeros<tf.Rank.R3>([1, 3, 2]);
    expect(() => attention(q, narrow, v, { heads: 2 })).toThrow("attention: k must be [1, S, 4], got [1, 3, 2]");
    expect(() => attention(q, k, narrow, { heads: 2 })).toThrow("attention: v must be [1, 3, 4], got [1, 3, 2]");
    const mask = tf.ones<tf.Rank.R2>([1, 4]);
    expect(() => attention(q, k, v, { heads: 2, mask })).toThrow("attention: mask must be [1, 3], got [1, 4]");
    for (const heads of [0, -2, 1.5, 3, Number.NaN]) {
      expect(() => attention(q, k, v, { heads })).toThrow(`heads must divide the width 4, got ${heads}`);
    }
  });
});
