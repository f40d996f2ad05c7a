import { tf } from "@clara/tensor";
import { checkGradient, expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { distillationLoss } from "./distillation-loss.ts";

const ln = Math.log;
// Over temperature 2 the teacher's first row is ln 1 and ln 3, the student's ln 1 and ln 1; the second rows are alike.
const student = (): tf.Tensor2D => tf.tensor2d([5, 5, 1, 3], [2, 2]);
const teacher = (): tf.Tensor2D => tf.tensor2d([0, 2 * ln(3), 0, 2], [2, 2]);
const all = (): tf.Tensor2D => tf.ones([2, 2], "int32");

/** KL of [1/4, 3/4] from [1/2, 1/2]. */
const divergence = ln(1 / 2) / 4 + (3 * ln(3 / 2)) / 4;

describe("distillationLoss", () => {
  it("is the sum of the rows' divergences at a temperature, times its square", () => {
    tf.tidy(() => {
      expectClose(distillationLoss(student(), teacher(), all(), { temperature: 2 }), 4 * divergence);
      const halved = tf.div(teacher(), 2) as tf.Tensor2D;
      expectClose(distillationLoss(tf.zeros([2, 2]), halved, all()), divergence + row(Math.E));
    });
  });

  it("is 0 for a student who says what the teacher says, whatever is added to all logits", () => {
    tf.tidy(() => {
      const same = tf.add(teacher(), 7) as tf.Tensor2D;
      expectClose(distillationLoss(same, teacher(), all(), { temperature: 3 }), 0);
    });
  });

  it("asks the teacher what is likely: what the teacher rules out costs the student little", () => {
    tf.tidy(() => {
      const [sure, even] = [tf.tensor2d([[0, -40]]), tf.tensor2d([[0, 0]])];
      expectClose(distillationLoss(even, sure, tf.ones([1, 2])), ln(2));
      expectClose(distillationLoss(sure, even, tf.ones([1, 2])), 20 - ln(2), { relative: 1e-6 });
    });
  });

  it("leaves out what is not there, on both sides, and rows with nothing", () => {
    tf.tidy(() => {
      const [s, t] = [
        tf.tensor2d([5, 5, 99, 9000, 2, 3], [2, 3]),
        tf.tensor2d([0, 2 * ln(3), 50, -9000, 8000, 1], [2, 3]),
      ];
      const open = tf.tensor2d([1, 1, 0, 0, 0, 0], [2, 3]);
      expectClose(distillationLoss(s, t, open, { temperature: 2 }), 4 * divergence);
      expectClose(distillationLoss(s, t, tf.zeros([2, 3])), 0);
    });
  });

  it("trains the student and never the teacher, and leaks nothing", () => {
    const open = tf.tensor2d([1, 1, 0, 1, 1, 1, 0, 0, 0], [3, 3]);
    const s = tf.tensor2d([0.3, -0.2, 9, 1, 0.5, 0.1, 1, 2, 3], [3, 3]);
    const t = tf.tensor2d([1, -1, 5, 0.2, 0.4, -0.7, 3, 1, 2], [3, 3]);
    checkGradient((x) => distillationLoss(x as tf.Tensor2D, t, open, { temperature: 2 }), [s]);
    tf.tidy(() => {
      const [, into] = tf.grads((x, y) => distillationLoss(x as tf.Tensor2D, y as tf.Tensor2D, open))([s, t]);
      expectClose(into!, tf.zeros([3, 3]), { absolute: 0 });
    });
    expectNoLeaks(() => distillationLoss(s, t, open));
    tf.dispose([s, t, open]);
  });

  it("refuses shapes that disagree and temperatures that are none", () => {
    tf.tidy(() => {
      expect(() => distillationLoss(student(), tf.zeros([2, 3]), all())).toThrow(
        "distillationLoss: teacher must be [2, 2], got [2, 3]",
      );
      expect(() => distillationLoss(student(), teacher(), tf.zeros([1, 2]))).toThrow(
        "distillationLoss: open must be [2, 2], got [1, 2]",
      );
      for (const temperature of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
        expect(() => distillationLoss(student(), teacher(), all(), { temperature })).toThrow(
          `must be above 0 and finite, got ${temperature}`,
        );
      }
    });
  });
});

/** KL of [1, x] / (1 + x) from [1/2, 1/2]. */
function row(x: number): number {
  const p = 1 / (1 + x);
  return p * ln(2 * p) + (1 - p) * ln(2 * (1 - p));
}
