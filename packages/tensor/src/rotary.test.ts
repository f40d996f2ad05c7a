import { describe, expect, it } from "vitest";
import { rotary, tf } from "./index.ts";
import { checkGradient, expectClose, expectNoLeaks } from "./testing.ts";

describe("rotary", () => {
  // Two heads of width 4: pairs (0, 2) and (1, 3) of each, one radian and 1/100 a position.
  const x = tf.tensor3d([1, 0, 0, 1, 0, 2, 3, 0, 5, 6, 7, 8, -1, -2, -3, -4], [1, 2, 8]);
  const positions = tf.tensor1d([0, 3], "int32");

  it("turns columns i and i + K/2 by the position times base^(-2i/K)", () => {
    const [c, s, c2, s2] = [Math.cos(3), Math.sin(3), Math.cos(0.03), Math.sin(0.03)];
    const head = (a: number, b: number, e: number, f: number): number[] => [
      a * c - e * s,
      b * c2 - f * s2,
      e * c + a * s,
      f * c2 + b * s2,
    ];
    const expected = [1, 0, 0, 1, 0, 2, 3, 0, ...head(5, 6, 7, 8), ...head(-1, -2, -3, -4)];
    expectClose(rotary(x, { positions, heads: 2 }), tf.tensor3d(expected, [1, 2, 8]));
  });

  it("counts each example's own positions when there is a row for each, of either type", () => {
    const both = tf.concat([x, x], 0);
    const y = rotary(both, { positions: tf.tensor2d([0, 3, 7, 1.5], [2, 2]), heads: 2 });
    expectClose(tf.slice(y, [0, 0, 0], [1, 2, 8]), rotary(x, { positions, heads: 2 }));
    const second = rotary(x, { positions: tf.tensor1d([7, 1.5]), heads: 2 });
    expectClose(tf.slice(y, [1, 0, 0], [1, 2, 8]), second);
  });

  it("takes another base, or the frequencies themselves", () => {
    const given = rotary(x, { positions, heads: 2, inverseFrequencies: Float32Array.of(1, 0.5) });
    expectClose(rotary(x, { positions, heads: 2, base: 4 }), given);
    expectClose(rotary(x, { positions, heads: 2, inverseFrequencies: [0, 0] }), x);
  });

  it("makes the product of a query and a key depend on their distance alone", () => {
    const at = (position: number): tf.Tensor =>
      rotary(tf.tensor3d([1, 2, 3, 4], [1, 1, 4]), { positions: tf.tensor1d([position]), heads: 1 });
    expectClose(tf.sum(tf.mul(at(2), at(7))), tf.sum(tf.mul(at(12), at(17))), { relative: 1e-5 });
  });

  it("has the right gradient", () => {
    const mix = tf.reshape(tf.linspace(-2, 3, 16), [1, 2, 8]);
    checkGradient((x) => tf.sum(tf.mul(mix, rotary(x, { positions, heads: 2 }))), [x] as const);
  });

  it("leaves nothing behind", () => {
    expectNoLeaks(() => rotary(x, { positions, heads: 2 }));
    expectNoLeaks(() => tf.grad((x: tf.Tensor) => tf.sum(rotary(x as tf.Tensor3D, { positions, heads: 2 })))(x));
  });

  it("names what does not fit", () => {
    const wrong = tf.tensor1d([1, 2, 3]);
    expect(() => rotary(x, { positions: wrong, heads: 2 })).toThrow("rotary: positions must be [2], got [3]");
    const two = tf.zeros<tf.Rank.R2>([2, 2]);
    expect(() => rotary(x, { positions: two, heads: 2 })).toThrow("rotary: positions must be [1, 2], got [2, 2]");
    for (const heads of [0, 3, 8, -1, Number.NaN]) {
      expect(() => rotary(x, { positions, heads })).toThrow(`the width 8 into even widths, got ${heads}`);
    }
    expect(() => rotary(x, { positions, heads: 2, inverseFrequencies: [1] })).toThrow("must hold 2 numbers, got 1");
  });
});
