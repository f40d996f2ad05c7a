import { describe, expect, it } from "vitest";
import { noGrad, stopGradient, tf } from "./index.ts";
import { expectClose, expectNoLeaks } from "./testing.ts";

describe("noGrad", () => {
  const x = tf.tensor1d([3, -1, 2]);

  it("lets operations without a gradient stand between a variable and the loss", () => {
    const loss = (x: tf.Tensor): tf.Tensor => {
      const positive = noGrad(() => tf.greater(x, 0));
      return tf.sum(tf.where(positive, tf.square(x), tf.zerosLike(x)));
    };
    expectClose(tf.grad(loss)(x), [6, 0, 4]);
    expect(() => tf.grad((x: tf.Tensor) => tf.sum(tf.where(tf.greater(x, 0), x, tf.zerosLike(x))))(x)).toThrow();
  });

  it("makes constants of its results, also of those it only passes on", () => {
    const factor = (pass: (x: tf.Tensor) => tf.Tensor) =>
      tf.grad((x: tf.Tensor) =>
        tf.sum(
          tf.mul(
            x,
            noGrad(() => pass(x)),
          ),
        ),
      )(x);
    expectClose(
      factor((x) => tf.mul(x, 10)),
      [30, -10, 20],
    );
    expectClose(
      factor((x) => x),
      [3, -1, 2],
    );
    expectClose(
      factor((x) => tf.clone(x)),
      [3, -1, 2],
    );
    expectClose(
      factor((x) => tf.reshape(x, [3])),
      [3, -1, 2],
    );
  });

  it("returns what the function returns: tensors, records and lists of them, plain values", () => {
    const { values, indices } = noGrad(() => tf.topk(x, 2));
    expectClose(values, [3, 2]);
    expectClose(indices, [0, 2]);
    const [first, second] = noGrad(() => [x, "text"] as [tf.Tensor, string]);
    expectClose(first, x);
    expect(second).toBe("text");
    expect(noGrad(() => 5)).toBe(5);
  });

  it("hands back a tensor that may be disposed without harm to the argument", () => {
    noGrad(() => x).dispose();
    expectClose(x, [3, -1, 2]);
  });

  it("nests, and records again afterwards, even after an error", () => {
    const loss = (x: tf.Tensor): tf.Tensor => {
      expect(() =>
        noGrad(() => {
          throw new Error("inside");
        }),
      ).toThrow("inside");
      const constant = noGrad(() =>
        tf.add(
          x,
          noGrad(() => tf.mul(x, 2)),
        ),
      );
      return tf.sum(tf.mul(tf.square(x), constant));
    };
    expectClose(tf.grad(loss)(x), [54, 6, 24]);
  });

  it("frees what it makes on the way, inside tidy and outside", () => {
    expectNoLeaks(() => noGrad(() => tf.add(tf.mul(x, 2), 1)));
    expectNoLeaks(() => tf.tidy(() => noGrad(() => tf.topk(tf.mul(x, 2), 2))));
    expectNoLeaks(() =>
      tf.grad((x: tf.Tensor) =>
        tf.sum(
          tf.mul(
            x,
            noGrad(() => tf.greater(x, 0)),
          ),
        ),
      )(x),
    );
  });
});

describe("stopGradient", () => {
  const x = tf.tensor1d([3, -1, 2]);

  it("has the value of its argument and a gradient of zero", () => {
    expectClose(stopGradient(x), x);
    expectClose(tf.grad((x: tf.Tensor) => tf.sum(stopGradient(tf.square(x))))(x), [0, 0, 0]);
    expectClose(tf.grad((x: tf.Tensor) => tf.sum(tf.mul(x, stopGradient(x))))(x), [3, -1, 2]);
  });

  it("gives a straight-through estimate: the value of one tensor, the gradient of another", () => {
    const soft = (x: tf.Tensor): tf.Tensor => tf.softmax(tf.mul(x, 0.5));
    const weight = tf.tensor1d([1, 2, 3]);
    const through = (x: tf.Tensor): tf.Tensor => {
      const hard = noGrad(() => tf.oneHot(tf.argMax(x), 3, 1, 0, "float32"));
      return tf.sum(tf.mul(weight, tf.add(hard, tf.sub(soft(x), stopGradient(soft(x))))));
    };
    expectClose(through(x), 1);
    expectClose(tf.grad(through)(x), tf.grad((x: tf.Tensor) => tf.sum(tf.mul(weight, soft(x))))(x));
  });

  it("leaves nothing behind, and its argument alive", () => {
    expectNoLeaks(() => stopGradient(x));
    expectNoLeaks(() => tf.grad((x: tf.Tensor) => tf.sum(tf.mul(x, stopGradient(x))))(x));
    expectClose(x, [3, -1, 2]);
  });
});
