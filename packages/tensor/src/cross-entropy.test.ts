import { describe, expect, it } from "vitest";
import { crossEntropy, tf } from "./index.ts";
import { checkGradient, expectClose, expectNoLeaks } from "./testing.ts";

describe("crossEntropy", () => {
  // Rows of probabilities: 1/4 1/4 1/2, 1/10 7/10 2/10 and 1/3 each.
  const logits = tf.tensor2d(
    [Math.log(1), Math.log(1), Math.log(2), Math.log(1), Math.log(7), Math.log(2), 5, 5, 5],
    [3, 3],
  );
  const labels = tf.tensor1d([2, 1, 0], "int32");

  it("averages the nats of the labels", () => {
    expectClose(crossEntropy(logits, labels), (Math.log(2) + Math.log(10 / 7) + Math.log(3)) / 3);
  });

  it("counts only the rows that the mask keeps, whatever its type", () => {
    const expected = (Math.log(2) + Math.log(3)) / 2;
    for (const type of ["float32", "int32", "bool"] as const) {
      expectClose(crossEntropy(logits, labels, { mask: tf.tensor1d([1, 0, 1], type) }), expected);
    }
    const weights = tf.tensor1d([0.25, 0, 0.75]);
    expectClose(crossEntropy(logits, labels, { mask: weights }), 0.25 * Math.log(2) + 0.75 * Math.log(3));
  });

  it("is 0, with a gradient of 0, when every row is masked", () => {
    const mask = tf.zeros<tf.Rank.R1>([3]);
    const { value, grad } = tf.valueAndGrad((logits: tf.Tensor) =>
      crossEntropy(logits as tf.Tensor2D, labels, { mask }),
    )(logits);
    expectClose(value, 0);
    expectClose(grad, [0, 0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it("stays exact for logits whose exponentials overflow or vanish", () => {
    const far = tf.tensor2d([1000, 0, 0, 1000], [2, 2]);
    expectClose(crossEntropy(far, tf.tensor1d([0, 0], "int32")), 500);
  });

  it("has the right gradient, with a mask and without", () => {
    checkGradient((logits) => crossEntropy(logits, labels), [logits] as const);
    const mask = tf.tensor1d([1, 0, 1]);
    checkGradient((logits) => tf.mul(-3, crossEntropy(logits, labels, { mask })), [logits] as const);
  });

  it("leaves nothing behind", () => {
    const mask = tf.tensor1d([1, 0, 1]);
    const loss = (logits: tf.Tensor): tf.Tensor => crossEntropy(logits as tf.Tensor2D, labels, { mask });
    expectNoLeaks(() => loss(logits));
    expectNoLeaks(() => tf.grad(loss)(logits));
  });

  it("names what does not fit", () => {
    const two = tf.tensor1d([1, 1], "int32");
    expect(() => crossEntropy(logits, two)).toThrow("crossEntropy: labels must be [3], got [2]");
    expect(() => crossEntropy(logits, labels, { mask: two })).toThrow("crossEntropy: mask must be [3], got [2]");
    expect(() => crossEntropy(logits, tf.tensor1d([2, 1, 0]))).toThrow("labels must be int32, got float32");
  });
});
