import { tf } from "@clara/tensor";
import { checkGradient, expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { retrievalLoss } from "./retrieval-loss.ts";

// Over temperature 0.5 the scores of the first row are the logarithms of 1, 2, 3 and 4.
const scores = (): tf.Tensor2D =>
  tf.tensor2d([0, Math.log(2) / 2, Math.log(3) / 2, Math.log(4) / 2, 0.1, 0.1, 0.1, 0.1], [2, 4]);
const positives = (...values: number[][]): tf.Tensor2D => tf.tensor2d(values, undefined, "int32");
const temperature = 0.5;

describe("retrievalLoss", () => {
  it("takes all documents that answer together", () => {
    tf.tidy(() => {
      const both = positives([0, 1, 0, 1], [1, 0, 0, 0]);
      // p = 6/10 and 1/4
      expectClose(retrievalLoss(scores(), both, { temperature }), (Math.log(10 / 6) + Math.log(4)) / 2);
    });
  });

  it("leaves out questions that no document answers, and is 0 when there are no others", () => {
    tf.tidy(() => {
      const first = positives([0, 0, 0, 1], [0, 0, 0, 0]);
      expectClose(retrievalLoss(scores(), first, { temperature }), Math.log(10 / 4));
      expectClose(retrievalLoss(scores(), tf.zeros([2, 4]), { temperature }), 0);
    });
  });

  it("leaves padding out, whatever its score, and even when it is marked as an answer", () => {
    tf.tidy(() => {
      const mask = positives([1, 1, 1, 0], [1, 1, 0, 0]);
      const marked = positives([0, 1, 0, 1], [1, 0, 0, 0]);
      expectClose(retrievalLoss(scores(), marked, { temperature, mask }), (Math.log(6 / 2) + Math.log(2)) / 2);
    });
  });

  it("has the right gradient, with rows that do not count too, and leaks nothing", () => {
    const [x, y] = [scores(), positives([0, 1, 0, 1], [0, 0, 0, 0])];
    checkGradient((x) => retrievalLoss(x as tf.Tensor2D, y, { temperature }), [x]);
    expectNoLeaks(() => retrievalLoss(x, y));
    tf.dispose([x, y]);
  });

  it("refuses shapes that disagree and temperatures that are none", () => {
    tf.tidy(() => {
      expect(() => retrievalLoss(scores(), tf.zeros([2, 3]))).toThrow(
        "retrievalLoss: positives must be [2, 4], got [2, 3]",
      );
      expect(() => retrievalLoss(scores(), tf.zeros([2, 4]), { temperature: 0 })).toThrow(
        "must be above 0 and finite, got 0",
      );
    });
  });
});
