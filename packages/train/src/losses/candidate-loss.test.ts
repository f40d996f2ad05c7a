import { tf } from "@clara/tensor";
import { checkGradient, expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { candidateLoss, candidateScores } from "./candidate-loss.ts";

const ln = Math.log;
// One question along x, two passages of two memory tokens; the last is padding that would be the best.
const query = (): tf.Tensor2D => tf.tensor2d([5, 0], [1, 2]);
const memories = (): tf.Tensor4D => tf.tensor4d([3, 4, 0, 2, 4, -3, 9, 0], [1, 2, 2, 2]);
const tokens = (): tf.Tensor3D => tf.tensor3d([8, 3, 8, 0], [1, 2, 2]);

// Over temperature 1/2 the windows have the odds 1 : 2 and 3 : 4, 6 : 1 and 1 : closed; passages 2 : 4 and 6 : 1.
const windows = (): tf.Tensor3D => tf.tensor3d([0, ln(2) / 2, ln(3) / 2, ln(4) / 2, ln(6) / 2, 0, 0, -1e9], [2, 2, 2]);
const passages = (): tf.Tensor2D => tf.tensor2d([ln(2) / 2, ln(4) / 2, ln(6) / 2, 0], [2, 2]);
const holds = (): tf.Tensor3D => tf.tensor3d([1, 1, 0, 0, 0, 1, 0, 0], [2, 2, 2]);
const temperature = 0.5;

describe("candidateScores", () => {
  it("are cosines with each memory token, and the best of each passage, padding aside", () => {
    tf.tidy(() => {
      const scores = candidateScores(query(), memories(), tokens());
      expectClose(tf.slice(tf.reshape(scores.windows, [4]), 0, 3), [0.6, 0, 0.8]);
      expect(scores.windows.dataSync()[3]!).toBeLessThan(-1e8);
      expectClose(scores.passages, tf.tensor2d([0.6, 0.8], [1, 2]));
    });
  });

  it("holds every question against its own candidates", () => {
    tf.tidy(() => {
      const both = candidateScores(
        tf.tensor2d([5, 0, 0, 2], [2, 2]),
        tf.concat([memories(), memories()], 0) as tf.Tensor4D,
        tf.tensor3d([8, 3, 8, 0, 1, 1, 1, 1], [2, 2, 2]),
      );
      expectClose(both.passages, tf.tensor2d([0.6, 0.8, 1, 0], [2, 2]));
    });
  });

  it("lets the gradient reach question and memories, and leaks nothing", () => {
    const inputs: [tf.Tensor2D, tf.Tensor4D] = [query(), memories()];
    const count = tokens();
    checkGradient((q, m) => {
      const { windows, passages } = candidateScores(q as tf.Tensor2D, m as tf.Tensor4D, count);
      const seen = tf.slice(tf.reshape(windows, [4]), 0, 3);
      return tf.add(tf.sum(tf.mul(seen, [1, 2, 3])), tf.sum(tf.mul(passages, [4, 5])));
    }, inputs);
    expectNoLeaks(() => candidateScores(...inputs, count));
    tf.dispose([...inputs, count]);
  });

  it("refuses sizes that disagree", () => {
    tf.tidy(() => {
      expect(() => candidateScores(tf.zeros([1, 3]), memories(), tokens())).toThrow(
        "candidateScores: query must be [1, 2], got [1, 3]",
      );
      expect(() => candidateScores(query(), memories(), tf.zeros([1, 2, 3]))).toThrow(
        "candidateScores: tokens must be [1, 2, 2], got [1, 2, 3]",
      );
    });
  });
});

describe("candidateLoss", () => {
  const scores = () => ({ windows: windows(), passages: passages() });

  it("adds -log p of the first passage and of the windows that hold the answer, over questions", () => {
    tf.tidy(() => {
      // Passages 2 of 6 and 6 of 7; windows 1 + 2 of 10 and 1 of 8.
      const nats = ln(6 / 2) + ln(7 / 6) + ln(10 / 3) + ln(8);
      expectClose(candidateLoss(scores(), holds(), { temperature }), nats);
    });
  });

  it("divides by 0.05 where no temperature is given", () => {
    tf.tidy(() => {
      const cold = candidateLoss(scores(), holds(), { temperature: 0.05 });
      expectClose(candidateLoss(scores(), holds()), cold, { absolute: 0, relative: 0 });
    });
  });

  it("is not changed by windows and passages that are padding", () => {
    tf.tidy(() => {
      const wide = tf.pad(
        windows(),
        [
          [0, 0],
          [0, 1],
          [0, 2],
        ],
        -1e9,
      ) as tf.Tensor3D;
      const found = {
        windows: wide,
        passages: tf.pad(
          passages(),
          [
            [0, 0],
            [0, 1],
          ],
          -1e9,
        ) as tf.Tensor2D,
      };
      const held = tf.pad(holds(), [
        [0, 0],
        [0, 1],
        [0, 2],
      ]) as tf.Tensor3D;
      const [padded, plain] = [found, scores()].map((given, i) =>
        candidateLoss(given, i === 0 ? held : holds(), { temperature }),
      );
      expectClose(padded!, plain!, { absolute: 0, relative: 0 });
    });
  });

  it("has the right gradient, and leaks nothing", () => {
    const { windows: w, passages: p } = scores();
    const held = holds();
    const loss = (w: tf.Tensor, p: tf.Tensor): tf.Scalar =>
      candidateLoss({ windows: w as tf.Tensor3D, passages: p as tf.Tensor2D }, held, { temperature });
    checkGradient(loss, [w, p]);
    expectNoLeaks(() => loss(w, p));
    tf.dispose([w, p, held]);
  });

  it("refuses sizes that disagree", () => {
    tf.tidy(() => {
      expect(() => candidateLoss({ ...scores(), passages: tf.zeros([2, 3]) }, holds())).toThrow(
        "candidateLoss: passages must be [2, 2], got [2, 3]",
      );
      expect(() => candidateLoss(scores(), tf.zeros([2, 2, 1]))).toThrow(
        "candidateLoss: holds must be [2, 2, 2], got [2, 2, 1]",
      );
    });
  });
});
