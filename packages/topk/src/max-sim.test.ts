import { tf } from "@clara/tensor";
import { checkGradient, expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { maxSim } from "./index.ts";

describe("maxSim", () => {
  const query = tf.tensor2d([1, 0, 3, 4], [2, 2]);
  const memories = tf.tensor3d([0, 2, 3, 4, -1, 0, -3, -4], [2, 2, 2]);

  it("adds up the best cosine of each query vector", () => {
    // Document 0: 0.6 from [3, 4], then 1. Document 1: -0.6 from [-3, -4], then -0.6 from [-1, 0].
    expectClose(maxSim(query, memories), tf.tensor1d([1.6, -1.2]));
  });

  it("is the best cosine for a single query vector", () => {
    expectClose(maxSim(tf.tensor2d([0, 5], [1, 2]), memories), [1, 0]);
  });

  it("ignores padding, whatever the type of the mask", () => {
    for (const dtype of ["float32", "int32", "bool"] as const) {
      const mask: tf.Tensor2D = tf.cast(tf.tensor2d([1, 0, 0, 1], [2, 2]), dtype);
      expectClose(maxSim(query, memories, { mask }), [0.8, -1.6]);
    }
  });

  it("scores a document without memory tokens -1 for each query vector", () => {
    expectClose(maxSim(query, memories, { mask: tf.tensor2d([1, 1, 0, 0], [2, 2]) }), [1.6, -2]);
  });

  it("has the right gradients for query and memories, with a mask", () => {
    const mask = tf.tensor2d([1, 1, 1, 0], [2, 2]);
    const mix = tf.tensor1d([1, -2]);
    checkGradient((q, m) => tf.sum(tf.mul(mix, maxSim(q, m, { mask }))), [query, memories] as const);
  });

  it("takes zero vectors for cosine 0, with finite gradients", () => {
    const zeros = tf.zeros<tf.Rank.R3>([1, 2, 2]);
    expectClose(maxSim(query, zeros), [0]);
    const gradient = tf.grad((m: tf.Tensor) => tf.sum(maxSim(query, m as tf.Tensor3D)))(zeros);
    expect(Array.from(gradient.dataSync()).every(Number.isFinite)).toBe(true);
  });

  it("leaves nothing behind", () => {
    const mask = tf.tensor2d([1, 0, 0, 1], [2, 2]);
    expectNoLeaks(() => maxSim(query, memories, { mask }));
  });

  it("names what does not fit", () => {
    expect(() => maxSim(query, tf.zeros([2, 2, 3]))).toThrow("maxSim: memories must be [N, M, 2], got [2, 2, 3]");
    expect(() => maxSim(query, memories, { mask: tf.ones([2, 3]) })).toThrow("maxSim: mask must be [2, 2], got [2, 3]");
  });
});
