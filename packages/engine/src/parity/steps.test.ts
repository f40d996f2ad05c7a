import { tf } from "@clara/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEngine, type Engine } from "../engine.ts";
import { plainAdamW } from "../optimizer/reference.testing.ts";
import type { HostTensors } from "../protocol.ts";
import { eager, norm, readGolden } from "./compare.testing.ts";
import { type Case, encoder, encoderLora, isZeroInTheory } from "./models.testing.ts";

// As `fixtures/parity/make.py` has them.
const steps = 20;
const rates = { learningRate: 2e-3, weightDecay: 0.1, clipNorm: 0.5 };
const rate = (_: string, shape: readonly number[]): number => (shape.length > 1 ? 1 : 0.5);

interface Run {
  readonly losses: readonly number[];
  readonly values: Readonly<Record<string, ArrayLike<number>>>;
}

async function withTrainer(engine: Engine, { specs, inputs, trained, frozen, loss }: Case): Promise<Run> {
  const params = await engine.params(trained, { trainable: true });
  const base = Object.keys(frozen).length > 0 ? [await engine.params(frozen)] : [];
  const trainer = await engine.trainer(loss, specs, { params: [params, ...base], rate });
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    losses.push((await trainer.accumulate(inputs)).loss);
    await trainer.step(rates);
  }
  const values = Object.entries(await params.read()).map(([name, { data }]) => [name, data]);
  for (const part of [trainer, params, ...base]) await part.dispose();
  return { losses, values: Object.fromEntries(values) };
}

/** TensorFlow.js's gradients and the paper's AdamW. */
function withEager(one: Case): Run {
  const states = Object.entries(one.trained).map(([name, { data, shape }]) => {
    const zeros = (): Float64Array => new Float64Array(data.length);
    return { name, shape, values: Float64Array.from(data), first: zeros(), second: zeros() };
  });
  const losses: number[] = [];
  for (let step = 1; step <= steps; step++) {
    const now: HostTensors = Object.fromEntries(
      states.map(({ name, shape, values }) => [name, { shape, data: Float32Array.from(values) }]),
    );
    const { loss, gradients } = eager(one, now);
    losses.push(loss);
    const whole = norm(Object.values(gradients).map(norm));
    const scale = Math.min(1, rates.clipNorm / (whole + 1e-6));
    for (const state of states) {
      const matrix = state.shape.length > 1;
      plainAdamW(state, gradients[state.name]!, {
        learningRate: rates.learningRate * (matrix ? 1 : 0.5),
        weightDecay: matrix ? rates.weightDecay : 0,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        scale,
        step,
      });
    }
  }
  return { losses, values: Object.fromEntries(states.map(({ name, values }) => [name, values])) };
}

const relative = (a: number, b: number): number => Math.abs(a / b - 1);

describe("20 steps of AdamW, with clipping, decay and a lower rate for vectors", () => {
  let engine: Engine;
  beforeAll(async () => {
    await tf.setBackend("cpu");
    engine = await createEngine({ prefer: "compiled", threads: 1 });
  });
  afterAll(() => engine?.dispose());

  it.for([encoder, encoderLora].map((one) => [one.name, one] as const))(
    "follow an eager run and PyTorch's losses within 1e-4: %s",
    async ([name, one]) => {
      const [actual, expected] = [await withTrainer(engine, one), withEager(one)];
      const { losses } = readGolden(name);
      expect(actual.losses[steps - 1]! / actual.losses[0]!).toBeLessThan(0.7); // it learns
      actual.losses.forEach((loss, i) => {
        expect(relative(loss, expected.losses[i]!)).toBeLessThan(1e-4);
        expect(relative(loss, losses![i]!)).toBeLessThan(1e-4);
      });
      // AdamW makes whole steps of a gradient of rounding errors: what is zero in theory goes its own way, unseen by the loss.
      const errors = Object.entries(expected.values)
        .filter(([name]) => !isZeroInTheory(name))
        .map(([name, values]) => {
          const difference = Array.from(values, (value, i) => value - actual.values[name]![i]!);
          return { name, error: norm(difference) / norm(values) };
        });
      expect(errors.filter(({ error }) => !(error < 1e-4))).toEqual([]);
    },
  );
});
