import { afterEach, describe, expect, it } from "vitest";
import { fused, tf, withGradient } from "./index.ts";
import { expectClose, expectNoLeaks } from "./testing.ts";

const x = tf.tensor1d([1, 2, 3]);

describe("fused", () => {
  const name = "ClaraFusedTest";
  const run = (): tf.Tensor => fused(name, { x }, { factor: 10 }, ({ x }, { factor }) => tf.mul(x, factor));
  const register = (kernelFunc: tf.KernelFunc): void =>
    tf.registerKernel({ kernelName: name, backendName: "cpu", kernelFunc });

  afterEach(() => {
    if (tf.getKernel(name, "cpu")) tf.unregisterKernel(name, "cpu");
  });

  it("runs the composed form where the backend has no such kernel", () => {
    expectClose(run(), [10, 20, 30]);
  });

  it("runs the backend's kernel, with the inputs and attributes, once there is one", () => {
    register(({ inputs, attrs }) => tf.sub(inputs.x as tf.Tensor, attrs!.factor as number));
    expectClose(run(), [-9, -8, -7]);
    tf.unregisterKernel(name, "cpu");
    expectClose(run(), [10, 20, 30]);
  });

  it("returns a list where the kernel returns one", () => {
    register(({ inputs }) => [tf.neg(inputs.x as tf.Tensor), tf.scalar(5)]);
    const [y, five] = fused(name, { x }, {}, ({ x }): [tf.Tensor, tf.Tensor] => [x, x]);
    expectClose(y, [-1, -2, -3]);
    expectClose(five, 5);
  });
});

describe("withGradient", () => {
  /** x·y, whose gradient counts its calls and reads an intermediate of the forward pass. */
  const product = (x: tf.Tensor, y: tf.Tensor): tf.Tensor =>
    withGradient(
      [x, y],
      () => {
        const minus = tf.neg(y);
        return { value: tf.mul(x, y), saved: [x, minus] };
      },
      (dy, [x, minus]) => [tf.neg(tf.mul(dy, minus!)), tf.mul(dy, x!)],
    );

  it("uses the given gradient, and keeps what it was told to save", () => {
    const y = tf.tensor1d([4, 5, 6]);
    const loss = (x: tf.Tensor, y: tf.Tensor): tf.Tensor => tf.tidy(() => tf.sum(product(tf.mul(x, 2), y)));
    expectClose(tf.grads(loss)([x, y]), [
      [8, 10, 12],
      [2, 4, 6],
    ]);
  });

  it("takes one tensor for two inputs", () => {
    expectClose(tf.grad((x: tf.Tensor) => tf.sum(product(x, x)))(x), [2, 4, 6]);
  });

  it("leaves nothing behind, with a gradient or without", () => {
    expectNoLeaks(() => product(x, x));
    expectNoLeaks(() => tf.grad((x: tf.Tensor) => tf.sum(product(x, x)))(x));
  });

  it("lets the error of the forward pass through", () => {
    const fail = (): never => {
      throw new Error("inside");
    };
    expect(() => withGradient([x], fail, () => [x])).toThrow("inside");
  });
});
