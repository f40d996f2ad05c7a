import { tf } from "@clara/tensor";
import { checkGradient, expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { alignmentLoss } from "./alignment-loss.ts";

const memory = (): tf.Tensor3D => tf.tensor3d([1, 2, 3, 4, 0, 0, 0, 0], [2, 2, 2]);
const states = (): tf.Tensor3D => tf.tensor3d([9, 9, 1, 1, 3, 3, 1, 2, 3, 4, 5, 6], [2, 3, 2]);
const mask = (): tf.Tensor2D => tf.tensor2d([0, 1, 1, 1, 1, 1], [2, 3], "int32");

describe("alignmentLoss", () => {
  it("is the mean squared difference between mean memory and mean of what is no padding", () => {
    // Memory means [2, 3] and [0, 0], text means [2, 2] and [3, 4]: squares 0, 1, 9, 16.
    tf.tidy(() => expectClose(alignmentLoss(memory(), states(), mask()), 26 / 4));
  });

  it("takes a row that is padding throughout for zeros", () => {
    tf.tidy(() => expectClose(alignmentLoss(memory(), states(), tf.zeros([2, 3])), (4 + 9) / 4));
  });

  it("trains both sides, and leaks nothing", () => {
    const inputs: [tf.Tensor3D, tf.Tensor3D] = [memory(), states()];
    const m = mask();
    checkGradient((a, b) => alignmentLoss(a, b, m), inputs);
    expectNoLeaks(() => alignmentLoss(...inputs, m));
    tf.dispose([...inputs, m]);
  });

  it("refuses shapes that disagree", () => {
    tf.tidy(() => {
      expect(() => alignmentLoss(memory(), tf.zeros([2, 3, 4]), mask())).toThrow(
        "alignmentLoss: states must be [2, S, 2], got [2, 3, 4]",
      );
      expect(() => alignmentLoss(memory(), states(), tf.zeros([2, 2]))).toThrow("alignmentLoss: mask must be [2, 3]");
    });
  });
});
