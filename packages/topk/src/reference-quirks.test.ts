import { tf } from "@clara/tensor";
import { describe, expect, it } from "vitest";
import { cosineScores } from "./scores.ts";
import { selectTopK } from "./select-top-k.ts";

/** To 8 significant bits, as bfloat16 has. */
const rounded = (x: tf.Tensor): tf.Tensor => {
  const bits = new Uint32Array(Float32Array.from(x.dataSync()).buffer);
  const data = new Float32Array(bits.map((word) => (word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000).buffer);
  return tf.tensor(data, x.shape);
};

describe("where the reference differs", () => {
  it("tells cosines apart that are closer than 1 in 256, where the reference, which normalises in bfloat16, does not", () => {
    const query = tf.tensor2d([1, 0], [1, 2]);
    const unit = (cosine: number): number[] => [cosine, Math.sqrt(1 - cosine ** 2)];
    const documents = tf.tensor3d([...unit(0.9005), ...unit(0.9015), ...unit(0.5)], [1, 3, 2]);
    const best = (scores: tf.Tensor): number => selectTopK(scores as tf.Tensor2D, 1).indices.dataSync()[0]!;
    expect(best(cosineScores(query, documents))).toBe(1);
    // The vectors have length 1 already: rounding is all that the reference does to them.
    expect(best(tf.reshape(tf.slice(rounded(documents), [0, 0, 0], [1, 3, 1]), [1, 3]))).toBe(0);
  });

  it("passes no gradient to a document that is taken, where the reference's mask lets one back in that leads by 0.4", () => {
    const scores = tf.tensor2d([0.95, 0.55, 0.5], [1, 3]);
    const second = (s: tf.Tensor): tf.Tensor => tf.slice(selectTopK(s as tf.Tensor2D, 2).weights, [0, 1, 0], [1, 1, 3]);
    const [first, others] = tf
      .grad((s: tf.Tensor) => tf.sum(tf.mul(second(s), tf.tensor3d([0, 1, 0], [1, 1, 3]))))(scores)
      .dataSync();
    expect(first).toBe(0);
    expect(Math.abs(others!)).toBeGreaterThan(1);
  });

  it("orders equal scores by their place, where the reference's order is any", () => {
    expect(Array.from(selectTopK(tf.fill([1, 20], 0.5), 20).indices.dataSync())).toEqual([...Array(20).keys()]);
  });

  it("says how many documents there are when more are asked for, where the reference breaks off in its library", () => {
    expect(() => selectTopK(tf.zeros([1, 2]), 5)).toThrow("from 1 to 2 (the number of documents), got 5");
  });
});
