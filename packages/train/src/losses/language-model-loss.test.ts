import { crossEntropy, tf } from "@clara/tensor";
import { checkGradient, expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { labelledRows, languageModelLoss } from "./language-model-loss.ts";

const labels = [
  [-100, 1, -100],
  [-100, -100, 0],
];
const logits = (): tf.Tensor3D => tf.tensor3d([0, Math.log(3), 5, 5, 9, 9, 7, 1, 0, 0, 2, 3], [2, 3, 2]);
const tensor = (): tf.Tensor2D => tf.tensor2d(labels, undefined, "int32");

describe("languageModelLoss", () => {
  it("is the mean of -log p over the labelled tokens, each read one column before", () => {
    // p(1) = 3/4 after column 0 of the first row, p(0) = 1/2 after column 1 of the second.
    tf.tidy(() => expectClose(languageModelLoss(logits(), tensor()), (Math.log(4 / 3) + Math.log(2)) / 2));
  });

  it("is 0, not NaN, when nothing is labelled, or only what has nothing before it", () => {
    tf.tidy(() => {
      expectClose(languageModelLoss(logits(), tf.fill([2, 3], -100, "int32")), 0);
      expectClose(languageModelLoss(logits(), tf.tensor2d([1, -100, -100, 0, -100, -100], [2, 3], "int32")), 0);
    });
  });

  it("has the right gradient, and leaks nothing", () => {
    const [x, y] = [logits(), tensor()];
    checkGradient((x) => languageModelLoss(x as tf.Tensor3D, y), [x]);
    expectNoLeaks(() => languageModelLoss(x, y));
    tf.dispose([x, y]);
  });

  it("refuses shapes that disagree, and a single column", () => {
    tf.tidy(() => {
      const y = tf.zeros<tf.Rank.R2>([2, 2], "int32");
      expect(() => languageModelLoss(logits(), y)).toThrow("languageModelLoss: labels must be [2, 3], got [2, 2]");
      expect(() => languageModelLoss(tf.zeros([2, 1, 4]), tf.zeros([2, 1], "int32"))).toThrow(
        "no next token in 1 columns",
      );
    });
  });
});

describe("labelledRows", () => {
  it("gives the rows that the loss reads: cross-entropy over them alone is the same", () => {
    const { rows, targets } = labelledRows(Int32Array.from(labels.flat()), 3);
    expect([Array.from(rows), Array.from(targets)]).toEqual([
      [0, 4],
      [1, 0],
    ]);
    tf.tidy(() => {
      const read = tf.gather(tf.reshape(logits(), [6, 2]) as tf.Tensor2D, tf.tensor1d(rows, "int32"));
      expectClose(crossEntropy(read, tf.tensor1d(targets, "int32")), languageModelLoss(logits(), tensor()));
    });
  });

  it("passes over a label that has nothing before it", () => {
    expect(labelledRows(Int32Array.of(5, 6, 5, -100), 2).rows).toEqual(Int32Array.of(0));
  });
});
