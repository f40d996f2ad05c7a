import { tf } from "@clara/tensor";
import { checkGradient, expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { cosineScores, flattenMemories } from "./index.ts";

describe("cosineScores", () => {
  const query = tf.tensor2d([3, 4, 0, 2], [2, 2]);
  const documents = tf.tensor3d([3, 4, -6, -8, 4, -3, 5, 5, 0, 1, -1, 0], [2, 3, 2]);

  it("is the cosine of each query with each of its own documents", () => {
    const scores = cosineScores(query, documents);
    expectClose(scores, tf.tensor2d([1, -1, 0, Math.SQRT1_2, 1, 0], [2, 3]));
  });

  it("has the right gradients for queries and documents", () => {
    const mix = tf.tensor2d([1, -2, 3, 4, 5, -6], [2, 3]);
    checkGradient((q, d) => tf.sum(tf.mul(mix, cosineScores(q, d))), [query, documents] as const);
  });

  it("scores zero vectors 0, with finite gradients", () => {
    const zeros = tf.tensor3d([0, 0, 3, 4], [1, 2, 2]);
    expectClose(cosineScores(tf.tensor2d([3, 4], [1, 2]), zeros), [0, 1]);
    expectClose(cosineScores(tf.zeros([1, 2]), zeros), [0, 0]);
    const gradients = tf.grads((q: tf.Tensor, d: tf.Tensor) =>
      tf.sum(cosineScores(q as tf.Tensor2D, d as tf.Tensor3D)),
    )([tf.zeros([1, 2]), zeros]);
    for (const gradient of gradients) expect(Array.from(gradient.dataSync()).every(Number.isFinite)).toBe(true);
  });

  it("leaves nothing behind", () => {
    expectNoLeaks(() => cosineScores(query, documents));
  });

  it("names what does not fit", () => {
    expect(() => cosineScores(query, tf.zeros([2, 3, 4]))).toThrow("documents must be [2, N, 2], got [2, 3, 4]");
    expect(() => cosineScores(query, tf.zeros([1, 3, 2]))).toThrow("documents must be [2, N, 2], got [1, 3, 2]");
  });
});

describe("flattenMemories", () => {
  it("puts memory tokens side by side, for queries and for documents", () => {
    const memories = tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 2, 2]);
    expectClose(flattenMemories(memories), tf.tensor3d([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 4]));
    expectClose(flattenMemories(tf.tensor3d([1, 2, 3, 4], [1, 2, 2])), tf.tensor2d([1, 2, 3, 4], [1, 4]));
    expectNoLeaks(() => flattenMemories(memories));
  });

  it("lets gradients through", () => {
    const mix = tf.tensor2d([1, -2, 3, 4], [1, 4]);
    checkGradient((m) => tf.sum(tf.mul(mix, flattenMemories(m))), [tf.tensor3d([1, 2, 3, 4], [1, 2, 2])] as const);
  });

  it("refuses another rank", () => {
    const flat = tf.zeros([2, 3]) as unknown as tf.Tensor3D;
    expect(() => flattenMemories(flat)).toThrow("flattenMemories: memories must be [B, M, D], got [2, 3]");
  });
});
