import { describe, expect, it } from "vitest";
import { type Lora, linear, tf } from "./index.ts";
import { checkGradient, expectClose, expectNoLeaks } from "./testing.ts";

describe("linear", () => {
  const x = tf.tensor3d([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]);
  const weight = tf.tensor2d([1, 0, 2, -1, 1, 1], [2, 3]);
  const bias = tf.tensor1d([10, 20, 30]);
  const lora: Lora = { a: tf.tensor2d([1, -1], [2, 1]), b: tf.tensor2d([1, 2, 3], [1, 3]), scale: 2 };

  it("multiplies every token by the weight", () => {
    expectClose(linear(x, weight), tf.tensor3d([-1, 2, 4, -1, 4, 10, -1, 6, 16, -1, 8, 22], [2, 2, 3]));
  });

  it("adds the bias, and the LoRA update times its scale", () => {
    expectClose(linear(x, weight, { bias }), [9, 22, 34, 9, 24, 40, 9, 26, 46, 9, 28, 52]);
    // Every token's a·x is -1, so the update is -2·[1, 2, 3].
    expectClose(linear(x, weight, { lora }), [-3, -2, -2, -3, 0, 4, -3, 2, 10, -3, 4, 16]);
  });

  it("has the right gradients for the tokens, the weight, the bias and the update", () => {
    const mix = tf.tensor3d([1, -2, 3, 4, 5, -6, 7, 8, 9, -1, 2, 3], [2, 2, 3]);
    checkGradient(
      (x, weight, bias, a, b) => tf.sum(tf.mul(mix, linear(x, weight, { bias, lora: { a, b, scale: 0.5 } }))),
      [x, weight, bias, lora.a, lora.b] as const,
    );
  });

  it("leaves nothing behind", () => {
    expectNoLeaks(() => linear(x, weight, { bias, lora }));
  });

  it("names the tensor that does not fit", () => {
    expect(() => linear(x, tf.zeros([3, 2]))).toThrow("linear: weight must be [2, O], got [3, 2]");
    expect(() => linear(x, weight, { bias: tf.zeros([2]) })).toThrow("linear: bias must be [3], got [2]");
    expect(() => linear(x, weight, { lora: { ...lora, a: tf.zeros([3, 1]) } })).toThrow(
      "linear: lora.a must be [2, R]",
    );
    expect(() => linear(x, weight, { lora: { ...lora, b: tf.zeros([2, 3]) } })).toThrow(
      "linear: lora.b must be [1, 3]",
    );
    expect(() => linear(weight as unknown as tf.Tensor3D, weight)).toThrow("linear: x must be [B, T, I], got [2, 3]");
  });
});
