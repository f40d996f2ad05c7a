import { describe, expect, it } from "vitest";
import { rmsNorm, tf } from "./index.ts";
import { checkGradient, expectClose, expectNoLeaks } from "./testing.ts";

describe("rmsNorm", () => {
  const gamma = tf.tensor1d([1, 2]);
  const x = tf.tensor3d([1, 7, -3, 4], [1, 2, 2]);

  it("divides each row by the root of its mean square, then scales", () => {
    // mean squares 25 and 12.5
    const unit = 1 / Math.sqrt(12.5);
    expectClose(rmsNorm(x, gamma, 1e-12), tf.tensor3d([0.2, 2.8, -3 * unit, 8 * unit], [1, 2, 2]));
  });

  it("adds eps to the mean square", () => {
    expectClose(rmsNorm(tf.tensor1d([1, 7]), gamma, 75), [0.1, 1.4]);
  });

  it("has the right gradients for the input and the scale", () => {
    const mix = tf.tensor3d([1, -2, 3, 4], [1, 2, 2]);
    checkGradient((x, gamma) => tf.sum(tf.mul(mix, rmsNorm(x, gamma, 1e-5))), [x, gamma] as const);
  });

  it("stays finite, value and gradient, on a row of zeros", () => {
    const zero = tf.zeros<tf.Rank.R2>([1, 2]);
    expectClose(rmsNorm(zero, gamma, 1e-6), [0, 0]);
    expectClose(tf.grad((x: tf.Tensor) => tf.sum(rmsNorm(x, gamma, 1e-6)))(zero), [1000, 2000]);
  });

  it("leaves nothing behind", () => {
    expectNoLeaks(() => rmsNorm(x, gamma, 1e-5));
    expectNoLeaks(() => tf.grad((x: tf.Tensor) => tf.sum(rmsNorm(x, gamma, 1e-5)))(x));
  });

  it("refuses a width that differs, and an eps of zero", () => {
    expect(() => rmsNorm(tf.zeros([2, 4]), gamma, 1e-5)).toThrow("last dimension of x must be [2], got [4]");
    expect(() => rmsNorm(x, gamma, 0)).toThrow("rmsNorm: eps must be above 0, got 0");
  });
});
