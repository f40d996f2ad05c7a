import { describe, expect, it } from "vitest";
import { type AdamWRates, adamW } from "./adam-w.ts";
import { plainAdamW } from "./reference.testing.ts";

const rates: AdamWRates = {
  learningRate: 0.1,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  scale: 1,
  step: 1,
};

function arrays(values: readonly number[], gradients: readonly number[]) {
  return {
    values: Float32Array.from(values),
    gradients: Float32Array.from(gradients),
    first: new Float32Array(values.length),
    second: new Float32Array(values.length),
  };
}

/** A wave without a period in the numbers used here. */
const wave = (length: number, phase: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin(i + phase));

describe("adamW", () => {
  it("moves every number by the learning rate at its first step, against the gradient's sign", () => {
    const state = arrays([1, 1, 1], [5, -0.001, 0]);
    adamW(state, rates);
    const close = (values: readonly number[]): unknown[] => values.map((value) => expect.closeTo(value, 5));
    expect([...state.values]).toEqual(close([0.9, 1.1, 1]));
    expect([...state.first]).toEqual(close([0.5, -0.0001, 0]));
    expect([...state.second]).toEqual(close([0.025, 0.000_000_001, 0]));
    expect(state.gradients).toEqual(Float32Array.of(5, -0.001, 0));
  });

  it("shrinks values by the decay alone where the gradient is 0", () => {
    const state = arrays([2], [0]);
    adamW(state, { ...rates, weightDecay: 0.5 });
    expect(state.values[0]).toBeCloseTo(2 * (1 - 0.1 * 0.5), 6);
  });

  it("multiplies gradients by the scale before anything else", () => {
    const [whole, scaled] = [arrays([1, -1], [0.5, 2]), arrays([1, -1], [2, 8])];
    for (const step of [1, 2, 3]) {
      adamW(whole, { ...rates, step });
      adamW(scaled, { ...rates, step, scale: 0.25 });
    }
    expect(scaled.values).toEqual(whole.values);
    expect(scaled.second).toEqual(whole.second);
  });

  it("leaves values as they are at rate 0, and still moves the moments", () => {
    const state = arrays([0.1, -3], [1, 2]);
    adamW(state, { ...rates, learningRate: 0, weightDecay: 0.1 });
    expect(state.values).toEqual(Float32Array.of(0.1, -3));
    expect(state.first[1]).toBeCloseTo(0.2, 6);
  });

  it.for([1, 3, 65_535, 65_536, 65_537])(
    "follows the paper in double precision over 6 steps of %i numbers",
    (length) => {
      const state = {
        values: wave(length, 0.5),
        gradients: new Float32Array(length),
        first: new Float32Array(length),
        second: new Float32Array(length),
      };
      const plain = {
        values: Float64Array.from(state.values),
        first: new Float64Array(length),
        second: new Float64Array(length),
      };
      for (let step = 1; step <= 6; step++) {
        state.gradients.set(wave(length, 10 * step));
        const now = { ...rates, learningRate: 0.01 * step, epsilon: 1e-3, weightDecay: 0.1, scale: 0.7, step };
        adamW(state, now);
        plainAdamW(plain, state.gradients, now);
      }
      // Values are rounded to float32 at each step, at most 6 times half a unit in the last place of numbers below 2.
      const error = (a: Float32Array, b: Float64Array): number =>
        a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
      expect(error(state.values, plain.values)).toBeLessThan(1e-6);
      expect(error(state.first, plain.first)).toBeLessThan(1e-6);
      expect(error(state.second, plain.second)).toBeLessThan(1e-6);
      expect(state.values.every(Number.isFinite)).toBe(true);
    },
  );
});
