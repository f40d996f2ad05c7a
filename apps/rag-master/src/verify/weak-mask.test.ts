import { tf } from "@clara/tensor";
import { expectClose } from "@clara/tensor/testing";
import { selectTopK } from "@clara/topk";
import { describe, expect, it } from "vitest";
import { gradientOfWeights, maskShift, softRows, strictRows } from "./weak-mask.ts";

const temperature = 0.02;

describe("softRows", () => {
  it("is a softmax over what earlier slots have left, as worked out by hand", () => {
    const scores = { data: [0.62, 0.6, 0.55, 0.5, 0.45] };
    const { weak, strict } = softRows(scores, [[0, 1, 2]], temperature);
    const rows = [
      ...[0.713899, 0.262629, 0.021558, 0.00177, 0.000145],
      ...[0, 0.917957, 0.07535, 0.006185, 0.000508],
      ...[0, 0, 0.918423, 0.075389, 0.006188],
    ];
    for (const found of [weak, strict]) expectClose(tf.tensor1d(Array.from(found)), rows, { absolute: 1e-5 });
  });

  it("lets a document back in that leads by far, by the reference's mask alone", () => {
    const { weak, strict } = softRows({ data: [0.95, 0.5, 0.49, 0.48] }, [[0, 1]], temperature);
    expect([weak[4]!.toFixed(3), strict[4]]).toEqual(["0.968", 0]);
    expect(strictRows({ data: weak }, { weak, strict })).toEqual(Float32Array.from(strict));
  });
});

describe("maskShift", () => {
  it("is what the gradient with the reference's mask has beside ours", () => {
    const [scores, upstream] = [
      [0.95, 0.6, 0.55, 0.4, 0.9, 0.3, 0.2, 0.88],
      [3, -1, 2, 0.5, 1, 4, -2, 1],
    ];
    const sizes = { k: 2, N: 4, temperature };
    const weights = { data: [...upstream, ...upstream.toReversed()] };
    const orders = selectTopK(tf.tensor2d(scores, [2, 4]), 2).indices.arraySync() as number[][];
    const shift = maskShift(softRows({ data: scores }, orders, temperature), weights, sizes);
    const ours = tf.grad((s: tf.Tensor) =>
      tf.sum(tf.mul(selectTopK(s as tf.Tensor2D, 2, { temperature }).weights, tf.tensor3d(weights.data, [2, 2, 4]))),
    )(tf.tensor2d(scores, [2, 4]));
    // The reference's: log(1 - taken + 1e-8) instead of leaving taken ones out.
    const theirs = tf.grad((s: tf.Tensor) => {
      const rows = orders.flatMap((order, b) =>
        order.map((_, j) => {
          const taken = tf.tensor1d(Array.from({ length: 4 }, (_, i) => Number(order.slice(0, j).includes(i))));
          const logits = tf.div(tf.gather(s, b), temperature);
          return tf.softmax(tf.add(logits, tf.log(tf.add(tf.sub(1, taken), 1e-8))) as tf.Tensor1D);
        }),
      );
      return tf.sum(tf.mul(tf.stack(rows), tf.tensor2d(weights.data, [4, 4])));
    })(tf.tensor2d(scores, [2, 4]));
    expect(Math.max(...shift.map(Math.abs))).toBeGreaterThan(0.1);
    expectClose(tf.add(ours, tf.tensor2d(Array.from(shift), [2, 4])), theirs, { absolute: 1e-3 });
  });

  it("takes the gradient of weights from that of the selected documents", () => {
    // One question, two documents [1, 2] and [3, 4]; slots whose gradients are [1, 0] and [1, 1].
    const found = gradientOfWeights({ data: [1, 0, 1, 1] }, { data: [1, 2, 3, 4] }, { B: 1, k: 2, N: 2 });
    expect(Array.from(found.data)).toEqual([1, 3, 3, 7]);
  });
});
