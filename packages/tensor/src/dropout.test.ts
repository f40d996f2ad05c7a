import { describe, expect, it } from "vitest";
import { dropout, tf } from "./index.ts";
import { murmur3 } from "./murmur3.ts";
import { checkGradient, expectClose, expectNoLeaks } from "./testing.ts";

describe("dropout", () => {
  const at = (step: number): tf.Scalar => tf.scalar(step, "int32");
  const ones = tf.ones<tf.Rank.R2>([50, 200]);
  const dropped = (rate: number, seed: number, step: number): Float32Array | Int32Array | Uint8Array =>
    dropout(ones, { rate, seed, step: at(step) }).dataSync();

  it("keeps entry i where the hash of i + step·2³², as eight bytes, reaches the rate", () => {
    const x = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
    const expected = [1, 2, 3, 4, 5, 6].map((value, i) => {
      const bytes = Uint8Array.of(i, 0, 0, 0, 0x02, 0x01, 0, 0); // step 258
      return murmur3(bytes, 42) / 2 ** 32 >= 0.5 ? value * 2 : 0;
    });
    expect(new Set(expected.map((value) => value === 0)).size).toBe(2); // some of both
    expectClose(dropout(x, { rate: 0.5, seed: 42, step: at(258) }), tf.tensor2d(expected, [2, 3]));
  });

  it("drops the rate's part, and keeps the mean", () => {
    for (const rate of [0.1, 0.5, 0.9]) {
      const values = dropped(rate, 1, 1);
      const kept = values.filter((value) => value !== 0);
      expect(kept.length / values.length).toBeCloseTo(1 - rate, 1);
      expectClose(kept[0]!, 1 / (1 - rate));
    }
  });

  it("repeats itself for the same seed and step, and for no other", () => {
    expect(dropped(0.5, 1, 1)).toEqual(dropped(0.5, 1, 1));
    const [one, other, next] = [dropped(0.5, 1, 1), dropped(0.5, 2, 1), dropped(0.5, 1, 2)];
    const agreement = (a: typeof one, b: typeof one): number =>
      a.filter((value, i) => value === b[i]).length / a.length;
    expect(agreement(one, other)).toBeCloseTo(0.5, 1);
    expect(agreement(one, next)).toBeCloseTo(0.5, 1);
  });

  it("has the right gradient: the same entries", () => {
    const x = tf.tensor1d([1, 2, 3, 4, 5, 6]);
    const mix = tf.tensor1d([1, -2, 3, 4, 5, -6]);
    const step = at(3);
    checkGradient((x) => tf.sum(tf.mul(mix, dropout(x, { rate: 0.5, seed: 9, step }))), [x] as const);
  });

  it("passes everything on at a rate of 0, gradient too", () => {
    const x = tf.tensor1d([1, 2]);
    const y = dropout(x, { rate: 0, seed: 0, step: at(0) });
    expectClose(y, x);
    expect(y).not.toBe(x);
    expectClose(tf.grad((x: tf.Tensor) => tf.sum(dropout(x, { rate: 0, seed: 0, step: at(0) })))(x), [1, 1]);
  });

  it("leaves nothing behind", () => {
    const options = { rate: 0.5, seed: 1, step: at(1) };
    expectNoLeaks(() => dropout(ones, options));
    expectNoLeaks(() => tf.grad((x: tf.Tensor) => tf.sum(dropout(x, options)))(ones));
  });

  it("refuses rates, seeds and steps that cannot be", () => {
    for (const rate of [-0.1, 1, Number.NaN]) {
      const call = () => dropout(ones, { rate, seed: 1, step: at(1) });
      expect(call).toThrow(`dropout: rate must be at least 0 and below 1, got ${rate}`);
    }
    for (const seed of [-1, 0.5, 2 ** 32]) {
      const call = () => dropout(ones, { rate: 0.1, seed, step: at(1) });
      expect(call).toThrow(`dropout: seed must be an integer from 0 to 4294967295, got ${seed}`);
    }
    expect(() => dropout(ones, { rate: 0.1, seed: 1, step: tf.scalar(1) })).toThrow("step must be int32, got float32");
    const list = tf.tensor1d([1], "int32") as unknown as tf.Scalar;
    expect(() => dropout(ones, { rate: 0.1, seed: 1, step: list })).toThrow("dropout: step must be [], got [1]");
  });
});
