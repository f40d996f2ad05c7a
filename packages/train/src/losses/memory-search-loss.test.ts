import { tf } from "@clara/tensor";
import { checkGradient, expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { memorySearchLoss } from "./memory-search-loss.ts";

const ln = Math.log;
// Cosines are 0 or 1, and e to the cosine over this temperature 1 or 4. The last memory token is padding.
const temperature = 1 / ln(4);
const query = (): tf.Tensor2D => tf.tensor2d([2, 0, 0, 1], [2, 2]);
const memories = (): tf.Tensor3D => tf.tensor3d([1, 0, 0, 3, 0, 1, 9, 9], [2, 2, 2]);
const tokens = (): tf.Tensor2D => tf.tensor2d([2, 1, 4, 0], [2, 2]);
const holds = (): tf.Tensor2D => tf.tensor2d([1, 0, 1, 0], [2, 2]);

// Passages by their best: 4 of 4 + 1, and 4 of 4 + 4.
const passages = ln(5 / 4) + ln(2);
// Windows: 4 of 4 + 1 + 1, and 4 of 1 + 4 + 4.
const windows = ln(6 / 4) + ln(9 / 4);
// Means, weighed by tokens: [2, 3] and [0, 4].
const [x, y] = [2 / Math.sqrt(13), 3 / Math.sqrt(13)];
const means = ln(4 ** x + 1) - ln(4 ** x) + ln(4 ** y + 4) - ln(4);

describe("memorySearchLoss", () => {
  it("adds the losses of passages, of windows and of means, with their weights", () => {
    tf.tidy(() => {
      const of = (windowWeight: number, keyWeight: number): tf.Scalar =>
        memorySearchLoss(query(), memories(), tokens(), holds(), { temperature, windowWeight, keyWeight });
      expectClose(of(0, 0), passages);
      expectClose(of(1, 0), passages + windows);
      expectClose(of(0, 1), passages + means);
      const usual = memorySearchLoss(query(), memories(), tokens(), holds(), { temperature });
      expectClose(usual, passages + 0.5 * windows + 0.3 * means);
    });
  });

  it("takes the windows that hold the answer together", () => {
    tf.tidy(() => {
      const both = tf.tensor2d([1, 1, 1, 0], [2, 2]);
      const loss = memorySearchLoss(query(), memories(), tokens(), both, {
        temperature,
        windowWeight: 1,
        keyWeight: 0,
      });
      expectClose(loss, passages + ln(6 / 5) + ln(9 / 4));
    });
  });

  it("is not changed by padding, nor by the lengths of questions", () => {
    tf.tidy(() => {
      const longer = memorySearchLoss(
        tf.mul(query(), tf.tensor2d([[3], [0.5]])),
        tf.concat([memories(), tf.fill([2, 2, 2], 5)], 1) as tf.Tensor3D,
        tf.pad(tokens(), [
          [0, 0],
          [0, 2],
        ]) as tf.Tensor2D,
        tf.pad(holds(), [
          [0, 0],
          [0, 2],
        ]) as tf.Tensor2D,
        { temperature },
      );
      expectClose(longer, memorySearchLoss(query(), memories(), tokens(), holds(), { temperature }));
    });
  });

  it("divides by 0.05 where no temperature is given", () => {
    tf.tidy(() => {
      const cold = memorySearchLoss(query(), memories(), tokens(), holds(), { temperature: 0.05 });
      expectClose(memorySearchLoss(query(), memories(), tokens(), holds()), cold, { absolute: 0, relative: 0 });
    });
  });

  it("has the right gradient, and leaks nothing", () => {
    const inputs: [tf.Tensor2D, tf.Tensor3D] = [
      tf.tensor2d([2, 0.4, -0.3, 1], [2, 2]),
      tf.tensor3d([1, 0.2, -0.1, 3, 0.5, 1, 9, 9], [2, 2, 2]),
    ];
    const [count, held] = [tokens(), holds()];
    const loss = (q: tf.Tensor, m: tf.Tensor): tf.Scalar =>
      memorySearchLoss(q as tf.Tensor2D, m as tf.Tensor3D, count, held, { temperature });
    checkGradient(loss, inputs);
    expectNoLeaks(() => loss(...inputs));
    tf.dispose([...inputs, count, held]);
  });

  it("refuses sizes that disagree", () => {
    tf.tidy(() => {
      expect(() => memorySearchLoss(tf.zeros([2, 3]), memories(), tokens(), holds())).toThrow(
        "memorySearchLoss: query must be [2, 2], got [2, 3]",
      );
      expect(() => memorySearchLoss(query(), memories(), tf.zeros([2, 1]), holds())).toThrow(
        "memorySearchLoss: tokens must be [2, 2], got [2, 1]",
      );
      expect(() => memorySearchLoss(query(), memories(), tokens(), tf.zeros([1, 2]))).toThrow(
        "memorySearchLoss: holds must be [2, 2], got [1, 2]",
      );
    });
  });
});
