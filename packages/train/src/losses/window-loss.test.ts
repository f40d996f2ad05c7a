import { tf } from "@clara/tensor";
import { checkGradient, expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { windowLoss } from "./window-loss.ts";

const ln = Math.log;
const logits = (): tf.Tensor2D => tf.tensor2d([0, ln(2), ln(3), ln(4), ln(2), ln(6), 80, 0], [2, 4]);
const holds = (): tf.Tensor2D => tf.tensor2d([0, 1, 1, 0, 1, 0, 0, 0], [2, 4]);
const open = (): tf.Tensor2D => tf.tensor2d([1, 1, 1, 1, 1, 1, 0, 0], [2, 4]);

describe("windowLoss", () => {
  it("takes the windows that hold the answer together, and entry 0 for no answer", () => {
    // (2 + 3) of 10, and 2 of 8.
    tf.tidy(() => expectClose(windowLoss(logits(), holds(), open()), ln(10 / 5) + ln(8 / 2)));
  });

  it("is not changed by padding", () => {
    tf.tidy(() => {
      const pad = (x: tf.Tensor2D, value: number) => tf.concat([x, tf.fill([2, 3], value)], 1) as tf.Tensor2D;
      const padded = windowLoss(pad(logits(), 70), pad(holds(), 0), pad(open(), 0));
      expectClose(padded, windowLoss(logits(), holds(), open()), { absolute: 0, relative: 0 });
    });
  });

  it("has the right gradient, none at padding, and leaks nothing", () => {
    const [x, right, mask] = [logits(), holds(), open()];
    checkGradient((x) => windowLoss(x as tf.Tensor2D, right, mask), [x]);
    tf.tidy(() => {
      const slope = tf.grad((x) => windowLoss(x as tf.Tensor2D, right, mask))(x);
      expectClose(tf.slice(slope, [1, 2], [1, 2]), [0, 0], { absolute: 0 });
    });
    expectNoLeaks(() => windowLoss(x, right, mask));
    tf.dispose([x, right, mask]);
  });

  it("refuses shapes that disagree", () => {
    tf.tidy(() => {
      expect(() => windowLoss(logits(), tf.zeros([2, 3]), open())).toThrow(
        "windowLoss: holds must be [2, 4], got [2, 3]",
      );
      expect(() => windowLoss(logits(), holds(), tf.zeros([1, 4]))).toThrow(
        "windowLoss: open must be [2, 4], got [1, 4]",
      );
    });
  });
});
