import { describe, expect, it } from "vitest";
import { layerNorm, tf } from "./index.ts";
import { checkGradient, expectClose, expectNoLeaks } from "./testing.ts";

describe("layerNorm", () => {
  const gamma = tf.tensor1d([1, 2, 3]);
  const beta = tf.tensor1d([0, 10, 0]);
  const x = tf.tensor3d([1, 2, 3, -4, 0, 4], [1, 2, 3]);

  it("normalises each row by its mean and its (biased) variance, then scales and shifts", () => {
    const unit = Math.sqrt(3 / 2);
    expectClose(layerNorm(x, gamma, beta, 1e-12), tf.tensor3d([-unit, 10, 3 * unit, -unit, 10, 3 * unit], [1, 2, 3]));
  });

  it("adds eps to the variance", () => {
    expectClose(layerNorm(tf.tensor1d([-1, 0, 1]), gamma, beta, 1 / 3), [-1, 10, 3]);
  });

  it("has the right gradients for the input, the scale and the shift", () => {
    const mix = tf.tensor3d([1, -2, 3, 4, 5, -6], [1, 2, 3]);
    checkGradient((x, gamma, beta) => tf.sum(tf.mul(mix, layerNorm(x, gamma, beta, 1e-5))), [x, gamma, beta] as const);
  });

  it("stays finite, value and gradient, on a constant row", () => {
    const flat = tf.tensor2d([5, 5, 5], [1, 3]);
    expectClose(layerNorm(flat, gamma, beta, 1e-12), tf.tensor2d([0, 10, 0], [1, 3]));
    const gradient = tf.grad((x: tf.Tensor) => tf.sum(layerNorm(x, gamma, beta, 1e-12)))(flat);
    expect(Array.from(gradient.dataSync()).every(Number.isFinite)).toBe(true);
  });

  it("has the same gradient however far the row is from zero", () => {
    const mix = tf.tensor3d([1, -2, 3, 4, 5, -6], [1, 2, 3]);
    const gradient = tf.grad((x: tf.Tensor) => tf.sum(tf.mul(mix, layerNorm(x, gamma, beta, 1e-5))));
    expectClose(gradient(tf.add(x, 1000)), gradient(x), { absolute: 1e-5 });
  });

  it("leaves nothing behind", () => {
    expectNoLeaks(() => layerNorm(x, gamma, beta, 1e-5));
    expectNoLeaks(() => tf.grad((x: tf.Tensor) => tf.sum(layerNorm(x, gamma, beta, 1e-5)))(x));
  });

  it("refuses a width that differs, and an eps of zero", () => {
    expect(() => layerNorm(tf.zeros([2, 4]), gamma, beta, 1e-5)).toThrow("last dimension of x must be [3], got [4]");
    expect(() => layerNorm(x, gamma, tf.zeros([4]), 1e-5)).toThrow("layerNorm: beta must be [3], got [4]");
    expect(() => layerNorm(tf.scalar(1), gamma, beta, 1e-5)).toThrow("last dimension of x must be [3], got []");
    expect(() => layerNorm(x, gamma, beta, 0)).toThrow("layerNorm: eps must be above 0, got 0");
  });
});
