import { tf } from "@clara/tensor";
import { checkGradient, expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { candidateLoss, candidateScores } from "./candidate-loss.ts";

const ln = Math.log;
// Two questions, along x and along y; two passages of two memory tokens, the last of which is padding that would be the best.
const query = (): tf.Tensor2D => tf.tensor2d([5, 0, 0, 2], [2, 2]);
const memories = (): tf.Tensor3D => tf.tensor3d([3, 4, 0, 2, 4, -3, 9, 9], [2, 2, 2]);
const tokens = (): tf.Tensor2D => tf.tensor2d([8, 3, 8, 0], [2, 2]);

// Over temperature 1/2 the windows have the odds 1 : 2 and 3 : 4, 6 : 1 and 1 : closed; passages 2 : 4 and 6 : 1.
const windows = (): tf.Tensor3D => tf.tensor3d([0, ln(2) / 2, ln(3) / 2, ln(4) / 2, ln(6) / 2, 0, 0, -1e9], [2, 2, 2]);
const passages = (): tf.Tensor2D => tf.tensor2d([ln(2) / 2, ln(4) / 2, ln(6) / 2, 0], [2, 2]);
// The first question is answered by both windows of the second passage, the second by the only one of the same.
const truth = () => ({ own: tf.tensor2d([0, 1, 0, 1], [2, 2]), holds: tf.tensor2d([1, 1, 1, 0], [2, 2]) });
const temperature = 0.5;

describe("candidateScores", () => {
  it("are cosines of each question with each memory token, and the best of each passage, padding aside", () => {
    tf.tidy(() => {
      const { windows, passages } = candidateScores(query(), memories(), tokens());
      expectClose(
        tf.slice(tf.reshape(windows, [2, 4]), [0, 0], [2, 3]),
        tf.tensor2d([0.6, 0, 0.8, 0.8, 1, -0.6], [2, 3]),
      );
      for (const padding of [3, 7]) expect(windows.dataSync()[padding]!).toBeLessThan(-1e8);
      expectClose(passages, tf.tensor2d([0.6, 0.8, 1, -0.6], [2, 2]));
    });
  });

  it("lets the gradient reach questions and memories, and leaks nothing", () => {
    const inputs: [tf.Tensor2D, tf.Tensor3D] = [query(), memories()];
    const count = tokens();
    checkGradient((q, m) => {
      const { windows, passages } = candidateScores(q as tf.Tensor2D, m as tf.Tensor3D, count);
      const seen = tf.slice(tf.reshape(windows, [2, 4]), [0, 0], [2, 3]);
      return tf.add(tf.sum(tf.mul(seen, [1, 2, 3])), tf.sum(tf.mul(passages, [4, 5])));
    }, inputs);
    expectNoLeaks(() => candidateScores(...inputs, count));
    tf.dispose([...inputs, count]);
  });

  it("refuses sizes that disagree", () => {
    tf.tidy(() => {
      expect(() => candidateScores(tf.zeros([1, 3]), memories(), tokens())).toThrow(
        /^candidateScores: query must be \[B, 2\], got \[1, 3\]/,
      );
      expect(() => candidateScores(query(), memories(), tf.zeros([2, 3]))).toThrow(
        "candidateScores: tokens must be [2, 2], got [2, 3]",
      );
    });
  });
});

describe("candidateLoss", () => {
  const scores = () => ({ windows: windows(), passages: passages() });

  it("adds -log p of the question's own passage and of the windows that hold the answer, over questions", () => {
    tf.tidy(() => {
      // Passages 4 of 6 and 1 of 7; windows 3 + 4 of 10 and 1 of 8.
      const nats = ln(6 / 4) + ln(7) + ln(10 / 7) + ln(8);
      expectClose(candidateLoss(scores(), truth(), { temperature }), nats);
    });
  });

  it("divides by 0.05 where no temperature is given", () => {
    tf.tidy(() => {
      const cold = candidateLoss(scores(), truth(), { temperature: 0.05 });
      expectClose(candidateLoss(scores(), truth()), cold, { absolute: 0, relative: 0 });
    });
  });

  it("is not changed by windows and passages that are padding", () => {
    tf.tidy(() => {
      const one = [0, 1] as [number, number];
      const none = [0, 0] as [number, number];
      const { own, holds } = truth();
      const wide = {
        windows: tf.pad(windows(), [none, one, one], -1e9) as tf.Tensor3D,
        passages: tf.pad(passages(), [none, one], -1e9) as tf.Tensor2D,
      };
      const held = { own: tf.pad(own, [none, one]), holds: tf.pad(holds, [none, one]) };
      const plain = candidateLoss(scores(), truth(), { temperature });
      expectClose(candidateLoss(wide, held, { temperature }), plain, { absolute: 0, relative: 0 });
    });
  });

  it("has the right gradient, and leaks nothing", () => {
    const { windows: w, passages: p } = scores();
    const right = truth();
    const loss = (w: tf.Tensor, p: tf.Tensor): tf.Scalar =>
      candidateLoss({ windows: w as tf.Tensor3D, passages: p as tf.Tensor2D }, right, { temperature });
    checkGradient(loss, [w, p]);
    expectNoLeaks(() => loss(w, p));
    tf.dispose([w, p, right.own, right.holds]);
  });

  it("refuses sizes that disagree", () => {
    tf.tidy(() => {
      const { own, holds } = truth();
      expect(() => candidateLoss({ ...scores(), passages: tf.zeros([2, 3]) }, { own, holds })).toThrow(
        "candidateLoss: passages must be [2, 2], got [2, 3]",
      );
      expect(() => candidateLoss(scores(), { own: tf.zeros([2, 3]), holds })).toThrow(
        "candidateLoss: own must be [2, 2], got [2, 3]",
      );
      expect(() => candidateLoss(scores(), { own, holds: tf.zeros([2, 1]) })).toThrow(
        "candidateLoss: holds must be [2, 2], got [2, 1]",
      );
    });
  });
});
