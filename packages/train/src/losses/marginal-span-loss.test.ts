import { tf } from "@clara/tensor";
import { checkGradient, expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { marginalSpanLoss } from "./marginal-span-loss.ts";

const ln = Math.log;
const none = -1e9;
// p(w) is 1/6, 2/6, 3/6 in the first row, 1/4, 3/4 in the second, whose last window is padding.
const windows = (): tf.Tensor2D => tf.tensor2d([0, ln(2), ln(3), 0, ln(3), 60], [2, 3]);
const spans = (): tf.Tensor2D => tf.tensor2d([ln(1 / 2), none, ln(1 / 4), none, ln(1 / 5), 0], [2, 3]);
const open = (): tf.Tensor2D => tf.tensor2d([1, 1, 1, 1, 1, 0], [2, 3], "int32");

describe("marginalSpanLoss", () => {
  it("is -log of the span's probability over all windows that hold it, summed over questions", () => {
    // 1/6 · 1/2 + 3/6 · 1/4 = 5/24, and 3/4 · 1/5 = 3/20.
    tf.tidy(() => expectClose(marginalSpanLoss(windows(), spans(), open()), ln(24 / 5) + ln(20 / 3)));
  });

  it("is 0 when the one window is chosen and its span is sure, and changes with no constant added to the logits", () => {
    tf.tidy(() => {
      const [w, s] = [tf.tensor2d([[100, 0]]), tf.tensor2d([[0, none]])];
      expectClose(marginalSpanLoss(w, s, tf.ones([1, 2])), 0);
      const moved = tf.add(windows(), 11) as tf.Tensor2D;
      expectClose(marginalSpanLoss(moved, spans(), open()), marginalSpanLoss(windows(), spans(), open()));
    });
  });

  it("leaves padding out, whatever it holds", () => {
    tf.tidy(() => {
      const pad = (x: tf.Tensor2D, value: number) => tf.concat([x, tf.fill([2, 2], value)], 1) as tf.Tensor2D;
      const padded = marginalSpanLoss(pad(windows(), 90), pad(spans(), 0), pad(tf.cast(open(), "float32"), 0));
      expectClose(padded, marginalSpanLoss(windows(), spans(), open()), { absolute: 0, relative: 0 });
    });
  });

  it("trains the choice and the reader, padding neither, and leaks nothing", () => {
    const inputs: [tf.Tensor2D, tf.Tensor2D] = [windows(), spans()];
    const mask = open();
    checkGradient((w) => marginalSpanLoss(w as tf.Tensor2D, inputs[1], mask), [inputs[0]]);
    // Differences cannot be taken at -1e9: the same windows without those.
    const near = tf.tensor2d([-0.7, -3, -1.4, -2, -1.6, 0], [2, 3]);
    checkGradient((w, s) => marginalSpanLoss(w as tf.Tensor2D, s as tf.Tensor2D, mask), [inputs[0], near]);
    expectNoLeaks(() => marginalSpanLoss(...inputs, mask));
    tf.dispose([...inputs, near, mask]);
  });

  it("refuses shapes that disagree", () => {
    tf.tidy(() => {
      expect(() => marginalSpanLoss(windows(), tf.zeros([2, 2]), open())).toThrow(
        "marginalSpanLoss: spanLogProbabilities must be [2, 3], got [2, 2]",
      );
      expect(() => marginalSpanLoss(windows(), spans(), tf.zeros([3, 3]))).toThrow(
        "marginalSpanLoss: open must be [2, 3], got [3, 3]",
      );
    });
  });
});
