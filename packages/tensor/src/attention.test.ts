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

  it("has the right gradients without a mask, and with one row of it for each token", () => {
    const mix = tf.tensor3d([1, -2, 3, 4, 5, -6, 7, 8, 9, -1, 2, 3], [1, 3, 4]);
    const causal = tf.tensor3d([1, 0, 0, 1, 1, 0, 1, 1, 1], [1, 3, 3]);
    const small = tf.div(v, 10) as tf.Tensor3D;
    for (const mask of [undefined, causal]) {
      checkGradient((q, k, v) => tf.sum(tf.mul(mix, attention(q, k, v, { heads: 2, mask }))), [q, k, small] as const, {
        step: 0.05,
      });
    }
  });

  describe("with fewer heads for keys than for queries", () => {
    // Two examples, two tokens over three keys, four query heads of width 2, of which two share a key head.
    const wide = (seed: number, shape: [number, number, number]): tf.Tensor3D =>
      tf.randomNormal(shape, 0, 1, "float32", seed);
    const [q, k, v] = [wide(1, [2, 2, 8]), wide(2, [2, 3, 4]), wide(3, [2, 3, 4])];
    const padding = tf.tensor2d([1, 1, 0, 1, 1, 1], [2, 3]);
    const causal = tf.tensor3d([1, 0, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1], [2, 2, 3]);

    /** Every key head twice, side by side: what the heads of the queries see. */
    const repeated = (x: tf.Tensor3D): tf.Tensor3D => {
      const heads = tf.split(x, 2, 2) as tf.Tensor3D[];
      return tf.concat([heads[0]!, heads[0]!, heads[1]!, heads[1]!], 2);
    };

    it("serves consecutive query heads with the same keys and values", () => {
      for (const mask of [undefined, padding, causal]) {
        const expected = attention(q, repeated(k), repeated(v), { heads: 4, mask });
        expectClose(attention(q, k, v, { heads: 4, keyHeads: 2, mask }), expected);
      }
    });

    it("has the right gradients, summed over the heads that share", () => {
      const mix = wide(4, [2, 2, 8]);
      for (const mask of [undefined, padding, causal]) {
        checkGradient(
          (q, k, v) => tf.sum(tf.mul(mix, attention(q, k, v, { heads: 4, keyHeads: 2, mask }))),
          [q, k, v] as const,
          { step: 0.05 },
        );
      }
    });

    it("wants a number that divides the heads, and keys of that width", () => {
      for (const keyHeads of [0, 3, 8, Number.NaN]) {
        const call = () => attention(q, k, v, { heads: 4, keyHeads });
        expect(call).toThrow(`attention: keyHeads must divide the 4 heads, got ${keyHeads}`);
      }
      expect(() => attention(q, k, v, { heads: 4, keyHeads: 1 })).toThrow("k must be [2, S, 2], got [2, 3, 4]");
    });
  });

  it("stays finite when every key is masked", () => {
    for (const mask of [tf.zeros<tf.Rank.R2>([1, 3]), tf.zeros<tf.Rank.R3>([1, 3, 3])]) {
      const { value, grads } = tf.valueAndGrads((q: tf.Tensor, k: tf.Tensor, v: tf.Tensor) =>
        tf.sum(attention(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, { heads: 2, mask })),
      )([q, k, v]);
      expect(Number.isFinite(value.dataSync()[0])).toBe(true);
      for (const grad of grads) expect(Array.from(grad.dataSync()).every(Number.isFinite)).toBe(true);
    }
  });

  it("takes a mask for a constant, even one that was computed from what learns", () => {
    const fixed = tf.tensor2d([1, 0, 1], [1, 3]);
    const loss =
      (mask: (q: tf.Tensor) => tf.Tensor2D) =>
      (q: tf.Tensor): tf.Tensor =>
        tf.tidy(() => tf.sum(attention(q as tf.Tensor3D, k, v, { heads: 2, mask: mask(q) })));
    const computed = loss((q) => tf.add(fixed, tf.mul(0, tf.sum(q))));
    expectClose(tf.grad(computed)(q), tf.grad(loss(() => fixed))(q));
  });

  it("leaves nothing behind", () => {
    for (const mask of [undefined, tf.tensor2d([1, 0, 1], [1, 3]), tf.ones<tf.Rank.R3>([1, 3, 3], "int32")]) {
      const run = (q: tf.Tensor): tf.Tensor => attention(q as tf.Tensor3D, k, v, { heads: 2, mask });
      expectNoLeaks(() => run(q));
      expectNoLeaks(() => tf.grad((q: tf.Tensor) => tf.sum(run(q)))(q));
    }
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
