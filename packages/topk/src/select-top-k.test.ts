import { ClaraError } from "@clara/core";
import { tf } from "@clara/tensor";
import { expectClose, expectNoLeaks } from "@clara/tensor/testing";
import { describe, expect, it } from "vitest";
import { type SelectTopKOptions, selectTopK } from "./index.ts";

/** Gradient of `sum(weights · upstream)` with respect to the scores. */
function gradient(scores: tf.Tensor2D, k: number, upstream: tf.Tensor, options: SelectTopKOptions = {}): tf.Tensor {
  return tf.grad((s: tf.Tensor) => tf.sum(tf.mul(selectTopK(s as tf.Tensor2D, k, options).weights, upstream)))(scores);
}

/** The same in double precision: `1/tau · Σ_j p_ji (G_ji - Σ_m p_jm G_jm)`, p_j over the documents still free. */
function gradientByHand(scores: number[], picks: number[], upstream: number[][], temperature: number): number[] {
  const out = scores.map(() => 0);
  const free = new Set(scores.keys());
  for (const [j, pick] of picks.entries()) {
    const top = Math.max(...[...free].map((i) => scores[i]!));
    const p = scores.map((s, i) => (free.has(i) ? Math.exp((s - top) / temperature) : 0));
    const total = p.reduce((a, b) => a + b);
    const mean = p.reduce((sum, pi, i) => sum + (pi / total) * upstream[j]![i]!, 0);
    for (const i of scores.keys()) out[i]! += ((p[i]! / total) * (upstream[j]![i]! - mean)) / temperature;
    free.delete(pick);
  }
  return out;
}

describe("selectTopK", () => {
  const scores = tf.tensor2d([0.1, 0.9, 0.5, 0.3, 0.2, 0.7], [2, 3]);

  it("selects the best documents, best first, as rows of a one-hot matrix", () => {
    const { weights, indices } = selectTopK(scores, 2);
    expect(indices.dtype).toBe("int32");
    expectClose(indices, tf.tensor2d([1, 2, 2, 0], [2, 2]));
    expectClose(weights, tf.tensor3d([0, 1, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0], [2, 2, 3]), { absolute: 0, relative: 0 });
  });

  it("orders all documents when k is their number", () => {
    expectClose(selectTopK(scores, 3).indices, tf.tensor2d([1, 2, 0, 2, 0, 1], [2, 3]));
  });

  it("selects the only document there is, with no gradient: there was no choice", () => {
    const one = tf.tensor2d([0.4], [1, 1]);
    expectClose(selectTopK(one, 1).weights, tf.ones([1, 1, 1]));
    expectClose(gradient(one, 1, tf.ones([1, 1, 1])), [[0]]);
  });

  it("gives the gradient of successive softmaxes, as worked out from the formula", () => {
    const spread = tf.tensor2d([0.62, 0.6, 0.55, 0.5, 0.45], [1, 5]);
    const upstream = tf.tensor3d([1, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, -1, 0, 0.5], [1, 3, 5]);
    expectClose(selectTopK(spread, 3).indices, [0, 1, 2]);
    const expected = [10.212381, -6.176664, -8.162749, 3.717911, 0.409121];
    expectClose(gradient(spread, 3, upstream), expected, { absolute: 1e-4 });
  });

  it("moves the score of every document, also of those not selected", () => {
    const upstream = tf.tensor3d([1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], [2, 2, 3]);
    const moved = gradient(scores, 2, upstream, { temperature: 0.5 }).arraySync() as number[][];
    expect(moved[0]![0]).toBeGreaterThan(0);
    expect(moved[0]![2]).toBeLessThan(0);
  });

  it("keeps a taken document out of later slots even when it leads by far", () => {
    const lead = [0.95, 0.5, 0.49, 0.48];
    const upstream = [
      [0, 0, 0, 0],
      [9, 1, 2, 3],
    ];
    const got = gradient(tf.tensor2d(lead, [1, 4]), 2, tf.tensor3d(upstream.flat(), [1, 2, 4]));
    expectClose(got, gradientByHand(lead, [0, 1], upstream, 0.02), { absolute: 1e-4 });
    expect(got.dataSync()[0]).toBe(0);
  });

  it("orders equal scores by index", () => {
    expectClose(selectTopK(tf.tensor2d([0.5, 0.7, 0.5, 0.7, 0.5], [1, 5]), 4).indices, [1, 3, 0, 2]);
    expectClose(selectTopK(tf.zeros([1, 6]), 6).indices, [0, 1, 2, 3, 4, 5]);
  });

  it("sharpens with a lower temperature, without changing the choice", () => {
    const upstream = tf.tensor3d([1, 0, 0, 1, 0, 0], [2, 1, 3]);
    for (const temperature of [1e-6, 0.02, 1, 100]) {
      expectClose(selectTopK(scores, 1, { temperature }).indices, [1, 2]);
      const expected = scores
        .arraySync()
        .flatMap((row, b) => gradientByHand(row, [[1], [2]][b]!, [[1, 0, 0]], temperature));
      expectClose(gradient(scores, 1, upstream, { temperature }), expected, { absolute: 1e-5, relative: 1e-4 });
    }
  });

  describe("with a mask", () => {
    const mask = tf.tensor2d([1, 0, 1, 1, 1, 0], [2, 3]);

    it("never selects a masked document while others remain, whatever its score or type", () => {
      for (const dtype of ["float32", "int32", "bool"] as const) {
        const { weights, indices } = selectTopK(scores, 2, { mask: tf.cast(mask, dtype) });
        expectClose(indices, tf.tensor2d([2, 0, 0, 1], [2, 2]));
        expectClose(weights, tf.tensor3d([0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1, 0], [2, 2, 3]));
      }
    });

    it("selects as if the masked documents were not there, gradient included", () => {
      const upstream = tf.tensor3d([1, 5, 2, -3, 5, 4, 2, 1, 5, 0, -1, 5], [2, 2, 3]);
      const got = gradient(scores, 2, upstream, { mask, temperature: 0.2 }).arraySync() as number[][];
      const first = gradientByHand(
        [0.1, 0.5],
        [1, 0],
        [
          [1, 2],
          [-3, 4],
        ],
        0.2,
      );
      const second = gradientByHand(
        [0.3, 0.2],
        [0, 1],
        [
          [2, 1],
          [0, -1],
        ],
        0.2,
      );
      expectClose(
        got,
        [
          [first[0]!, 0, first[1]!],
          [second[0]!, second[1]!, 0],
        ],
        { absolute: 1e-5 },
      );
    });

    it("marks the slots for which no document is left: index -1, weights and gradient 0", () => {
      const { weights, indices } = selectTopK(scores, 3, { mask });
      expectClose(indices, tf.tensor2d([2, 0, -1, 0, 1, -1], [2, 3]));
      expectClose(tf.sum(weights, 2), tf.tensor2d([1, 1, 0, 1, 1, 0], [2, 3]));
      const last = tf.tensor3d([0, 0, 0, 0, 0, 0, 7, 8, 9, 0, 0, 0, 0, 0, 0, 7, 8, 9], [2, 3, 3]);
      expectClose(gradient(scores, 3, last, { mask }), tf.zeros([2, 3]));
    });

    it("selects nothing from a row that is masked altogether", () => {
      const { weights, indices } = selectTopK(scores, 1, { mask: tf.tensor2d([0, 0, 0, 1, 1, 1], [2, 3]) });
      expectClose(indices, [-1, 2]);
      expectClose(weights, [0, 0, 0, 0, 0, 1]);
    });

    it("ignores even NaN in masked scores", () => {
      const padded = tf.tensor2d([0.1, Number.NaN, 0.5], [1, 3]);
      const keep = tf.tensor2d([1, 0, 1], [1, 3]);
      expectClose(selectTopK(padded, 2, { mask: keep }).weights, [0, 0, 1, 1, 0, 0]);
      const upstream = tf.tensor3d([1, 0, 0], [1, 1, 3]);
      const got = gradient(padded, 1, upstream, { mask: keep, temperature: 0.2 });
      const [a, b] = gradientByHand([0.1, 0.5], [1], [[1, 0]], 0.2);
      expectClose(got, [a!, 0, b!], { absolute: 1e-5 });
    });
  });

  it("makes the weights of a row with a NaN score NaN, and of no other row", () => {
    const { weights } = selectTopK(tf.tensor2d([0.1, Number.NaN, 0.5, 0.3, 0.2, 0.7], [2, 3]), 1);
    const rows = weights.arraySync();
    expect(rows[0]![0]!.every(Number.isNaN)).toBe(true);
    expect(rows[1]![0]).toEqual([0, 0, 1]);
  });

  it("leaves nothing behind, forward and backward", () => {
    const mask = tf.tensor2d([1, 0, 1, 1, 1, 0], [2, 3]);
    expectNoLeaks(() => selectTopK(scores, 2));
    expectNoLeaks(() => selectTopK(scores, 2, { mask }));
    const upstream = tf.ones([2, 2, 3]);
    expectNoLeaks(() => gradient(scores, 2, upstream, { mask }));
  });

  it("says which k it can serve", () => {
    for (const k of [0, -1, 4, 1.5, Number.NaN]) {
      expect(() => selectTopK(scores, k)).toThrow(
        `selectTopK: k must be a whole number from 1 to 3 (the number of documents), got ${k}`,
      );
    }
    expect(() => selectTopK(scores, 4)).toThrow(ClaraError);
    expect(() => selectTopK(scores, 4)).toThrow(expect.objectContaining({ code: "option" }));
  });

  it("refuses a temperature that is not positive, and a mask of another shape", () => {
    for (const temperature of [0, -1, 1e-7, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => selectTopK(scores, 1, { temperature })).toThrow(
        `must be at least 1e-6 and finite, got ${temperature}`,
      );
    }
    expect(() => selectTopK(scores, 1, { mask: tf.ones([2, 2]) })).toThrow("mask must be [2, 3], got [2, 2]");
    expect(() => selectTopK(tf.zeros([3]) as unknown as tf.Tensor2D, 1)).toThrow("scores must be [B, N], got [3]");
  });
});
