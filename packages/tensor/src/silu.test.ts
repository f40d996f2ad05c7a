import { describe, it } from "vitest";
import { silu, tf } from "./index.ts";
import { checkGradient, expectClose, expectNoLeaks } from "./testing.ts";

describe("silu", () => {
  const x = tf.tensor2d([-3, -1, 0, 0.5, 1, 3], [2, 3]);

  it("is x times the logistic function of x", () => {
    // x / (1 + e^-x) to ten digits
    const expected = [-0.1422776195, -0.2689414214, 0, 0.3112296656, 0.7310585786, 2.8577223805];
    expectClose(silu(x), tf.tensor2d(expected, [2, 3]));
  });

  it("has the right gradient", () => {
    checkGradient((x) => tf.sum(tf.mul(silu(x), tf.tensor2d([1, -2, 3, 4, 5, -6], [2, 3]))), [x] as const);
  });

  it("stays finite, value and gradient, far from zero", () => {
    const far = tf.tensor1d([-200, 200]);
    expectClose(silu(far), [0, 200]);
    expectClose(tf.grad((x: tf.Tensor) => tf.sum(silu(x)))(far), [0, 1]);
  });

  it("leaves nothing behind", () => {
    expectNoLeaks(() => silu(x));
    expectNoLeaks(() => tf.grad((x: tf.Tensor) => tf.sum(silu(x)))(x));
  });
});
