import { describe, it } from "vitest";
import { gelu, tf } from "./index.ts";
import { checkGradient, expectClose, expectNoLeaks } from "./testing.ts";

describe("gelu", () => {
  const x = tf.tensor2d([-3, -1, 0, 0.5, 1, 3], [2, 3]);

  it("is x times the normal distribution function, not the tanh approximation", () => {
    // x·Φ(x) to ten digits; the tanh approximation gives 0.84119 at 1.
    const exact = [-0.0040496941, -0.1586552539, 0, 0.3457312306, 0.8413447461, 2.9959503059];
    expectClose(gelu(x), exact, { absolute: 5e-7 });
  });

  it("has the right gradient", () => {
    checkGradient((x) => tf.sum(tf.mul(gelu(x), tf.tensor2d([1, -2, 3, 4, 5, -6], [2, 3]))), [x] as const);
  });

  it("stays finite, value and gradient, far from zero", () => {
    const far = tf.tensor1d([-1e20, -100, 100, 1e20]);
    expectClose(gelu(far), [0, 0, 100, 1e20]);
    expectClose(tf.grad((x: tf.Tensor) => tf.sum(gelu(x)))(far), [0, 0, 1, 1]);
  });

  it("leaves nothing behind", () => {
    expectNoLeaks(() => gelu(x));
    expectNoLeaks(() => tf.grad((x: tf.Tensor) => tf.sum(gelu(x)))(x));
  });
});
