import { describe, expect, it } from "vitest";
import { stopGradient, tf } from "./index.ts";
import { checkGradient, expectClose, expectNoLeaks } from "./testing.ts";

describe("expectClose", () => {
  it("compares tensors, typed arrays, nested lists and numbers with each other", () => {
    const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    expectClose(x, [
      [1, 2],
      [3, 4],
    ]);
    expectClose(
      [
        [1, 2],
        [3, 4],
      ],
      x,
    );
    expectClose(x, Float32Array.of(1, 2, 3, 4));
    expectClose(x, [1, 2, 3, 4]);
    expectClose(tf.scalar(2), 2);
    expectClose([tf.tensor1d([1, 2]), [3, 4]], x);
  });

  it("allows the absolute plus the relative difference, and no more", () => {
    expectClose(1000.009, 1000);
    expect(() => expectClose(1000.02, 1000)).toThrow();
    expectClose(1e-6, 0);
    expect(() => expectClose(1.1e-6, 0)).toThrow();
    expectClose(1.4, 1, { absolute: 0.5 });
    expect(() => expectClose(1.4, 1, { absolute: 0, relative: 0.3 })).toThrow();
  });

  it("names the index of the first difference, both values and how many differ", () => {
    const x = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
    expect(() => expectClose(x, [1, 2, 3, 4, 7, 8])).toThrow("at [1, 1] expected 7, got 5 (2 of 6 values differ");
    expect(() => expectClose([1, 2], [1, 3])).toThrow("at [1] expected 3, got 2");
  });

  it("takes NaN and infinities for different from everything, themselves included", () => {
    const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const a of odd) {
      for (const b of [...odd, 0]) {
        expect(() => expectClose([a], [b])).toThrow("at [0]");
        expect(() => expectClose([b], [a])).toThrow("at [0]");
      }
    }
  });

  it("refuses shapes and lengths that differ, and ragged lists", () => {
    expect(() => expectClose(tf.zeros([2, 3]), tf.zeros([3, 2]))).toThrow("expected shape [3, 2], got shape [2, 3]");
    expect(() =>
      expectClose(tf.zeros([4]), [
        [0, 0],
        [0, 0],
      ]),
    ).toThrow("expected shape [2, 2], got shape [4]");
    expect(() => expectClose([1, 2], [1, 2, 3])).toThrow("expected 3 values, got 2 values");
    expect(() => expectClose([], [1])).toThrow("expected 1 values, got 0 values");
    expect(() => expectClose([[1, 2], [3]], [1, 2, 3])).toThrow("actual is ragged");
  });
});

describe("expectNoLeaks", () => {
  it("accepts a function whose tensors are all in its result, in whatever it is", () => {
    expectNoLeaks(() => ({ a: tf.scalar(1), b: [tf.scalar(2)], c: "text" }));
    expectNoLeaks(() => {});
  });

  it("counts the tensors left behind", () => {
    const kept: tf.Tensor[] = [];
    expect(() => expectNoLeaks(() => void kept.push(tf.scalar(1), tf.scalar(2)))).toThrow("2 more tensors");
    tf.dispose(kept);
  });

  it("notices a disposed argument", () => {
    const x = tf.scalar(1);
    expect(() => expectNoLeaks(() => x.dispose())).toThrow("1 tensors fewer");
  });

  it("waits for an async function", async () => {
    await expectNoLeaks(async () => {
      await tf.nextFrame();
      return tf.scalar(1);
    });
    let leaked: tf.Tensor | undefined;
    const leak = expectNoLeaks(async () => {
      await tf.nextFrame();
      leaked = tf.scalar(1);
    });
    await expect(leak).rejects.toThrow("1 more tensors");
    leaked?.dispose();
  });

  it("lets the function's own error through", () => {
    expect(() =>
      expectNoLeaks(() => {
        throw new Error("own");
      }),
    ).toThrow("own");
  });
});

describe("checkGradient", () => {
  const x = tf.tensor2d([0.5, -1, 2, 0.25], [2, 2]);

  it("accepts right gradients of every input", () => {
    checkGradient((x, y) => tf.sum(tf.mul(tf.exp(x), y)), [x, tf.add(x, 1)] as const);
  });

  it("names the input and the index of a wrong one", () => {
    const wrong = tf.customGrad((x) => ({
      value: tf.square(x as tf.Tensor),
      gradFunc: (dy: tf.Tensor) => tf.mul(dy, tf.tensor2d([1, -2, 4, 9], [2, 2])), // right but for the last
    }));
    expect(() => checkGradient((x) => tf.sum(wrong(x)), [x] as const)).toThrow(
      /input 0 at \[1, 1\] has gradient 9, but differences give 0\.(5|49999)/,
    );
    const sum = (y: tf.Tensor, x: tf.Tensor): tf.Tensor => tf.add(tf.sum(y), tf.sum(wrong(x)));
    expect(() => checkGradient(sum, [tf.clone(x), x] as const)).toThrow("input 1 at [1, 1]");
  });

  it("notices a gradient that is missing, small or not a number", () => {
    expect(() => checkGradient((x) => tf.sum(stopGradient(x)), [x] as const)).toThrow("has gradient 0");
    expect(() => checkGradient((x) => tf.sum(tf.mul(1e-3, stopGradient(x))), [x] as const)).toThrow("has gradient 0");
    const zero = tf.zeros([1]);
    expect(() => checkGradient((x) => tf.sum(tf.sqrt(tf.square(x))), [zero] as const)).toThrow("gradient NaN");
    expect(() => checkGradient((x) => tf.sum(tf.topk(x, 1).values), [x] as const)).toThrow();
  });

  it("refuses a function that is not a scalar", () => {
    expect(() => checkGradient((x) => tf.square(x), [x] as const)).toThrow("must return a scalar, got [2, 2]");
  });

  it("leaves nothing behind", () => {
    expectNoLeaks(() => checkGradient((x) => tf.sum(tf.square(x)), [x] as const));
  });
});
