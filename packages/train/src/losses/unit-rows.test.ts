import { tf } from "@clara/tensor";
import { checkGradient, expectClose } from "@clara/tensor/testing";
import { describe, it } from "vitest";
import { unitRows } from "./unit-rows.ts";

describe("unitRows", () => {
  it("brings each row to length 1 and leaves a row of zeros", () => {
    tf.tidy(() => expectClose(unitRows(tf.tensor2d([3, 4, 0, 0, 0, -7], [3, 2])), [0.6, 0.8, 0, 0, 0, -1]));
  });

  it("has the right gradient, and a finite one at zero", () => {
    const x = tf.tensor2d([3, 4, -1, 2], [2, 2]);
    const weights = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    checkGradient((rows) => tf.sum(tf.mul(unitRows(rows as tf.Tensor2D), weights)), [x]);
    tf.tidy(() => {
      const slope = tf.grad((rows) => tf.sum(tf.mul(unitRows(rows as tf.Tensor2D), weights)));
      // 1 over the square root of 1e-12.
      expectClose(slope(tf.zeros([2, 2])), [1e6, 2e6, 3e6, 4e6]);
    });
    tf.dispose([x, weights]);
  });
});
