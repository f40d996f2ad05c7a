import { tf } from "@clara/tensor";
import { describe, expect, it } from "vitest";
import type { HostTensors, StepRates } from "../protocol.ts";
import { programOf } from "../trace/program-of.ts";
import { ortRunner } from "./ort-runner.ts";
import { replayRunner } from "./replay-runner.ts";
import type { Param } from "./runner.ts";
import { createTrainer, type Trainer } from "./trainer.ts";

process.env.ORT_DISABLE_TELEMETRY = "1"; // read when the library loads

const rates: StepRates = {
  learningRate: 0,
  beta1: 0, // the first moment is then the gradient
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  clipNorm: Infinity,
  divisor: 1,
};

/** A trainer of `sum(w²·x)`, whose gradient is 2·w·x: no two of its numbers are alike, and one in seven is 0. */
async function trainerOf(length: number, where: "compiled" | "cpu", threads: number) {
  const weights = { w: { shape: [length], dtype: "float32" as const } };
  const { program } = await programOf(
    ({ x }, { w }) => {
      const product = tf.mul(w!, x!);
      return { loss: tf.sum(tf.mul(product, w!)), "gradient.w": tf.mul(product, 2) };
    },
    { x: { shape: [length] } },
    { weights, kernelSet: where === "cpu" ? "composed" : "fused" },
  );
  const w = Float32Array.from({ length }, (_, i) => Math.cos(i) + (i % 3));
  const params = new Map<string, Param>([["w", { ...weights.w, data: w, trainable: true }]]);
  const runner = where === "cpu" ? await replayRunner("cpu", {}) : await ortRunner({ threads });
  const groups = { w: { rate: 1, decay: 1 } };
  const trainer = await createTrainer(runner, params, {
    id: 1,
    program,
    groups,
    params: [],
    options: { prepack: true },
  });
  const batch = (phase: number): HostTensors => ({
    x: { shape: [length], data: Float32Array.from({ length }, (_, i) => (i % 7 === 3 ? 0 : Math.sin(i + phase))) },
  });
  const gradient = (phase: number): Float32Array =>
    unsigned(batch(phase).x!.data.map((x, i) => 2 * Math.fround(w[i]! * x)) as Float32Array);
  return { trainer, batch, gradient, w };
}

/** Bit for bit. Vitest would take minutes to show how long arrays differ. */
function expectSame(actual: Float32Array, expected: Float32Array): void {
  expect(actual.length).toBe(expected.length);
  const first = actual.findIndex((value, i) => !Object.is(value, expected[i]));
  expect(first < 0 ? "no difference" : `${first}: ${actual[first]} instead of ${expected[first]}`).toBe(
    "no difference",
  );
}

/** A zero's sign is lost in a moment. */
const unsigned = (array: Float32Array): Float32Array => array.map((value) => value + 0);

const gradients = (trainer: Trainer): Float32Array => {
  trainer.step(rates);
  return unsigned(trainer.state().moments.w!.first);
};

const add = (a: Float32Array, b: Float32Array): Float32Array => a.map((x, i) => Math.fround(x + b[i]!));

describe("gradients that are summed up in place", () => {
  // ONNX Runtime reads and writes the same array. It cuts long arrays into parts, for its threads and for its vectors.
  const sizes = [1, 3, 65_535, 65_536, 65_537].flatMap((length) => [1, 2].map((threads) => [length, threads] as const));

  it.for(sizes)("are exact: %i numbers, %i threads", async ([length, threads]) => {
    const { trainer, batch, gradient } = await trainerOf(length, "compiled", threads);
    await trainer.accumulate(batch(0), {});
    expectSame(gradients(trainer), gradient(0));
    for (const phase of [1, 2, 3, 4]) await trainer.accumulate(batch(phase), {});
    expectSame(gradients(trainer), [1, 2, 3, 4].map(gradient).reduce(add));
    // The form that adds is the one in use from here on: it must start anew.
    await trainer.accumulate(batch(5), {});
    expectSame(gradients(trainer), gradient(5));
    for (const phase of [6, 7]) await trainer.accumulate(batch(phase), {});
    expectSame(gradients(trainer), add(gradient(6), gradient(7)));
    await trainer.release();
  });

  it("are the same on a back end of TensorFlow.js", async () => {
    const { trainer, batch, gradient } = await trainerOf(1000, "cpu", 1);
    for (const phase of [1, 2, 3]) await trainer.accumulate(batch(phase), {});
    expectSame(gradients(trainer), [1, 2, 3].map(gradient).reduce(add));
    await trainer.accumulate(batch(5), {});
    expectSame(gradients(trainer), gradient(5));
  });
});

describe("a batch that fails", () => {
  it("takes the gradients before it along", async () => {
    const { trainer, batch, gradient, w } = await trainerOf(3, "compiled", 1);
    const before = w.slice();
    await trainer.accumulate(batch(1), {});
    const wrong = { x: { shape: [2], data: Float32Array.of(1, 2) } };
    await expect(trainer.accumulate(wrong, {})).rejects.toThrow();
    expect(() => trainer.step(rates)).toThrow("no gradients since the last step");
    await trainer.accumulate(batch(2), {});
    expectSame(gradients(trainer), gradient(2));
    expect(w).toEqual(before);
    await trainer.release();
  });
});
