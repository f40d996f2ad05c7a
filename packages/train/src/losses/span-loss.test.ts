import { tf } from "@clara/tensor";
import { checkGradient, expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { spanLoss } from "./span-loss.ts";

const ln = Math.log;
// Starts have the odds 1 : 2 : 1 and 1 : 1 (: closed), ends 1 : 3 : 4 and 3 : 1 (: closed).
const logits = (): tf.Tensor3D => tf.tensor3d([0, 0, ln(2), ln(3), 0, ln(4), 0, ln(3), 0, 0, 50, 70], [2, 3, 2]);
const spans = (): tf.Tensor2D => tf.tensor2d([1, 2, 0, 0], [2, 2], "int32");
const open = (): tf.Tensor2D => tf.tensor2d([1, 1, 1, 1, 1, 0], [2, 3], "int32");

describe("spanLoss", () => {
  it("is the sum of -log p(start) - log p(end) over sequences, each a softmax over what is open", () => {
    // 2/4 and 4/8 in the first, 1/2 and 3/4 at CLS in the second.
    tf.tidy(() => expectClose(spanLoss(logits(), spans(), open()), ln(4 / 2) + ln(8 / 4) + ln(2) + ln(4 / 3)));
  });

  it("keeps start and end apart", () => {
    tf.tidy(() => {
      const one = tf.slice(logits(), [0, 0, 0], [1, 3, 2]);
      const swapped = tf.tensor2d([2, 1], [1, 2], "int32");
      expectClose(spanLoss(one, swapped, tf.ones([1, 3])), ln(4) + ln(8 / 3));
    });
  });

  it("is not changed by padding", () => {
    tf.tidy(() => {
      const longer = tf.concat([logits(), tf.fill([2, 4, 2], 33)], 1) as tf.Tensor3D;
      const mask = tf.concat([open(), tf.zeros([2, 4], "int32")], 1) as tf.Tensor2D;
      expectClose(spanLoss(longer, spans(), mask), spanLoss(logits(), spans(), open()), { absolute: 0, relative: 0 });
    });
  });

  it("has the right gradient, none at what is closed, and leaks nothing", () => {
    const [x, y, mask] = [logits(), spans(), open()];
    checkGradient((x) => spanLoss(x as tf.Tensor3D, y, mask), [x]);
    tf.tidy(() => {
      const slope = tf.grad((x) => spanLoss(x as tf.Tensor3D, y, mask))(x);
      expectClose(tf.slice(slope, [1, 2, 0], [1, 1, 2]), [0, 0], { absolute: 0 });
    });
    expectNoLeaks(() => spanLoss(x, y, mask));
    tf.dispose([x, y, mask]);
  });

  it("refuses shapes that disagree, and spans that are no int32", () => {
    tf.tidy(() => {
      expect(() => spanLoss(tf.zeros([2, 3, 1]), spans(), open())).toThrow("spanLoss: logits must be [B, T, 2]");
      expect(() => spanLoss(logits(), tf.zeros([2, 3], "int32"), open())).toThrow(
        "spanLoss: spans must be [2, 2], got [2, 3]",
      );
      expect(() => spanLoss(logits(), spans(), tf.zeros([2, 2]))).toThrow("spanLoss: open must be [2, 3], got [2, 2]");
      expect(() => spanLoss(logits(), tf.zeros([2, 2]), open())).toThrow("labels must be int32");
    });
  });
});
