import { describe, expect, it } from "vitest";
import { attention, cachedAttention, tf } from "./index.ts";
import { expectClose, expectNoLeaks } from "./testing.ts";

const [heads, keyHeads, K] = [4, 2, 4];

/** Numbers without a pattern, different for each seed. */
const numbers = (shape: number[], seed: number): tf.Tensor => tf.randomUniform(shape, -1, 1, "float32", seed);
const rows = (tokens: number, heads: number, seed: number) => numbers([1, tokens, heads * K], seed) as tf.Tensor3D;

/** Rows [1, T, G·K] as the first slots of a cache; what lies behind must not matter. */
function cacheOf(rows: tf.Tensor3D, slots: number): tf.Tensor4D {
  const T = rows.shape[1];
  const byHead: tf.Tensor = tf.transpose(tf.reshape(rows, [1, T, keyHeads, K]), [0, 2, 1, 3]);
  return tf.concat([byHead, tf.fill([1, keyHeads, slots - T, K], 1e3)], 2) as tf.Tensor4D;
}

const part = (x: tf.Tensor3D, from: number, tokens: number): tf.Tensor3D =>
  tf.slice(x, [0, from, 0], [1, tokens, x.shape[2]]);

/** The last tokens of sequences of 6, the earlier ones in a cache of 7 slots. */
function lastOf(filled: number, window?: number): { y: tf.Tensor3D; whole: tf.Tensor3D } {
  const [q, k, v] = [rows(6, heads, 1), rows(6, keyHeads, 2), rows(6, keyHeads, 3)];
  const see = (t: number, s: number): number => Number(s <= t && (window === undefined || s > t - window));
  const mask = tf.tensor3d(
    [0, 1, 2, 3, 4, 5].flatMap((t) => [0, 1, 2, 3, 4, 5].map((s) => see(t, s))),
    [1, 6, 6],
  );
  const whole = part(attention(q, k, v, { heads, keyHeads, mask }), filled, 6 - filled);
  const cache = { keys: cacheOf(part(k, 0, filled), 7), values: cacheOf(part(v, 0, filled), 7) };
  const fresh = [q, k, v].map((x) => part(x, filled, 6 - filled)) as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
  const y = cachedAttention(...fresh, cache, { heads, keyHeads, lengths: tf.tensor1d([filled], "int32"), window });
  return { y, whole };
}

describe("cachedAttention", () => {
  it("weighs filled slots and new tokens by their scores, by hand", () => {
    const one = (x: number) => tf.tensor3d([x], [1, 1, 1]);
    // Scores ln 1 (slot 0), ln 2 (slot 1), ln 5 (the new token); slot 2 is not filled.
    const keys = tf.tensor4d([0, Math.log(2), 99], [1, 1, 3, 1]);
    const values = tf.tensor4d([8, 16, 99], [1, 1, 3, 1]);
    const lengths = tf.tensor1d([2], "int32");
    const y = cachedAttention(one(1), one(Math.log(5)), one(24), { keys, values }, { heads: 1, lengths });
    expectClose(y, [(1 * 8 + 2 * 16 + 5 * 24) / 8]);
  });

  it.each([0, 1, 3, 5])("continues after %i tokens as if all were computed at once", (filled) => {
    const { y, whole } = lastOf(filled);
    expectClose(y, whole, { absolute: 1e-5 });
  });

  it.each([1, 2, 4, 9])("sees no more than a window of %i tokens", (window) => {
    for (const filled of [0, 3, 5]) {
      const { y, whole } = lastOf(filled, window);
      expectClose(y, whole, { absolute: 1e-5 });
    }
  });

  it("keeps sequences of different length apart", () => {
    const [q, k, v] = [rows(1, heads, 1), rows(1, keyHeads, 2), rows(1, keyHeads, 3)];
    const cache = { keys: cacheOf(rows(4, keyHeads, 4), 5), values: cacheOf(rows(4, keyHeads, 5), 5) };
    const alone = [1, 4].map((length) =>
      cachedAttention(q, k, v, cache, { heads, keyHeads, lengths: tf.tensor1d([length], "int32") }),
    );
    const twice = <T extends tf.Tensor>(x: T): T => tf.concat([x, x], 0) as T;
    const y = cachedAttention(
      twice(q),
      twice(k),
      twice(v),
      { keys: twice(cache.keys), values: twice(cache.values) },
      { heads, keyHeads, lengths: tf.tensor1d([1, 4], "int32") },
    );
    expectClose(y, tf.concat(alone, 0));
    expect(Math.abs(alone[0]!.dataSync()[0]! - alone[1]!.dataSync()[0]!)).toBeGreaterThan(1e-3);
  });

  it("refuses to be differentiated, instead of leaving out a part of the gradient", () => {
    const [k, v] = [rows(1, keyHeads, 2), rows(1, keyHeads, 3)];
    const cache = { keys: cacheOf(rows(1, keyHeads, 4), 2), values: cacheOf(rows(1, keyHeads, 5), 2) };
    const lengths = tf.tensor1d([1], "int32");
    const loss = (q: tf.Tensor) =>
      tf.sum(tf.add(q, cachedAttention(q as tf.Tensor3D, k, v, cache, { heads, keyHeads, lengths })));
    expect(() => tf.grad(loss)(rows(1, heads, 1))).toThrow(/cachedAttention has no gradient; train with attention/);
  });

  it("leaves nothing behind", () => {
    expectNoLeaks(() => tf.tidy(() => lastOf(3).y));
  });

  it.each([
    [{ heads: 3 }, "heads must divide the width 16, got 3"],
    [{ keyHeads: 3 }, "keyHeads must divide the 4 heads, got 3"],
    [{ window: 0 }, "window must be an integer of at least 1, got 0"],
    [{ keyHeads: 4 }, "k must be [1, 1, 16], got [1, 1, 8]"],
    [{ lengths: tf.tensor1d([1, 2], "int32") }, "lengths must be [1], got [2]"],
  ])("says what is wrong with %j", (wrong, message) => {
    const [q, k] = [rows(1, heads, 1), rows(1, keyHeads, 2)];
    const cache = { keys: cacheOf(k, 3), values: cacheOf(k, 3) };
    const options = { heads, keyHeads, lengths: tf.tensor1d([1], "int32"), ...wrong };
    expect(() => cachedAttention(q, k, k, cache, options)).toThrow(`cachedAttention: ${message}`);
  });

  it("says which side of the cache has another shape", () => {
    const [q, k] = [rows(1, heads, 1), rows(1, keyHeads, 2)];
    const cache = { keys: cacheOf(k, 3), values: cacheOf(k, 4) };
    const lengths = tf.tensor1d([1], "int32");
    expect(() => cachedAttention(q, k, k, cache, { heads, keyHeads, lengths })).toThrow(
      "cachedAttention: cache.values must be [1, 2, 3, 4], got [1, 2, 4, 4]",
    );
  });
});
