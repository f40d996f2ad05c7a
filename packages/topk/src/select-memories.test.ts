import { tf } from "@clara/tensor";
import { checkGradient, expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { selectMemories, selectTopK } from "./index.ts";

describe("selectMemories", () => {
  const memories = tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [1, 3, 2, 2]);

  it("returns the memories of the selected documents in rank order", () => {
    const { weights } = selectTopK(tf.tensor2d([0.2, 0.9, 0.5], [1, 3]), 2);
    expectClose(selectMemories(weights, memories), tf.tensor4d([5, 6, 7, 8, 9, 10, 11, 12], [1, 2, 2, 2]));
  });

  it("returns zeros for a slot without a document", () => {
    const mask = tf.tensor2d([0, 1, 0], [1, 3]);
    const { weights } = selectTopK(tf.tensor2d([0.2, 0.9, 0.5], [1, 3]), 2, { mask });
    expectClose(selectMemories(weights, memories), [5, 6, 7, 8, 0, 0, 0, 0]);
  });

  it("has the right gradients for weights and memories", () => {
    const weights = tf.tensor3d([0.1, 0.7, 0.2, 0.3, 0, 0.7], [1, 2, 3]);
    const mix = tf.tensor4d([1, -2, 3, 4, 5, -6, 7, 8], [1, 2, 2, 2]);
    checkGradient((w, m) => tf.sum(tf.mul(mix, selectMemories(w, m))), [weights, memories] as const);
  });

  it("leaves nothing behind", () => {
    const weights = tf.tensor3d([0, 1, 0], [1, 1, 3]);
    expectNoLeaks(() => selectMemories(weights, memories));
  });

  it("names what does not fit", () => {
    expect(() => selectMemories(tf.zeros([1, 2, 4]), memories)).toThrow(
      "memories must be [1, 4, M, D], got [1, 3, 2, 2]",
    );
  });
});
