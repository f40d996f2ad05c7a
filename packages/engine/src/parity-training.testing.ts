import { crossEntropy, dropout, gelu, tf } from "@clara/tensor";
import { expect } from "vitest";
import type { Engine } from "./engine.ts";
import { difference, floats, ints, tensors } from "./parity.testing.ts";
import type { HostTensors } from "./protocol.ts";
import type { Specs } from "./specs.ts";
import type { LossFunction } from "./trainer.ts";

/** LoRA over a frozen matrix, with dropout before the update: the loss of a batch. */
const loraLoss: LossFunction = ({ x, labels, step }, p) => {
  const dropped = dropout(x!, { rate: 0.2, seed: 3, step: step as tf.Scalar });
  const update = tf.mul(tf.matMul(tf.matMul(dropped as tf.Tensor2D, p.a as tf.Tensor2D), p.b as tf.Tensor2D), 2);
  const logits: tf.Tensor2D = tf.matMul(
    gelu(tf.add(tf.matMul(x as tf.Tensor2D, p.w as tf.Tensor2D), update)),
    p.head as tf.Tensor2D,
  );
  return { loss: crossEntropy(logits, labels as tf.Tensor1D), logits };
};

const frozen: HostTensors = { w: floats([6, 8], 1) };
const trained: HostTensors = { a: floats([6, 2], 2), b: floats([2, 8], 3, 0.5), head: floats([8, 4], 4) };
const rates = { learningRate: 0.02, weightDecay: 0.1, clipNorm: 0.5 };

/** Trains adapters for some steps of two batches each, and expects the losses and numbers of an eager AdamW. */
export async function expectTrainingParity(engine: Engine, tolerance: number, steps = 5): Promise<void> {
  await tf.setBackend("cpu");
  const batch = (at: number): HostTensors => ({
    x: floats([3 + (at % 2), 6], at),
    labels: ints([3 + (at % 2)], 4, at),
    step: { data: Int32Array.of(at), shape: [] },
  });
  const base = await engine.params(frozen);
  const adapters = await engine.params(trained, { trainable: true });
  const specs: Specs = {
    x: { shape: ["B", 6] },
    labels: { shape: ["B"], dtype: "int32" },
    step: { shape: [], dtype: "int32" },
  };
  const trainer = await engine.trainer(loraLoss, specs, { params: [base, adapters] });
  const eager = eagerTraining();
  for (let step = 1; step <= steps; step++) {
    for (const at of [2 * step, 2 * step + 1]) {
      const { loss } = await trainer.accumulate(batch(at));
      expect(Math.abs(loss / eager.accumulate(batch(at)) - 1), `loss of step ${step}`).toBeLessThanOrEqual(tolerance);
    }
    const { norm } = await trainer.step({ ...rates, divisor: 2 });
    expect(Math.abs(norm / eager.step(step, 2) - 1), `norm of step ${step}`).toBeLessThanOrEqual(tolerance);
  }
  const numbers = await adapters.read();
  for (const [name, values] of Object.entries(eager.values)) {
    expect(difference(numbers[name]!.data as Float32Array, values), name).toBeLessThanOrEqual(tolerance);
  }
  await trainer.dispose();
}

/** The formulas of AdamW, with gradients of TensorFlow.js's CPU back end. */
function eagerTraining(): {
  values: Record<string, Float32Array>;
  accumulate(batch: HostTensors): number;
  step(step: number, divisor: number): number;
} {
  const copies = (): Record<string, Float32Array> =>
    Object.fromEntries(Object.entries(trained).map(([name, { data }]) => [name, (data as Float32Array).slice()]));
  const values = copies();
  const [gradients, first, second] = [0, 1, 2].map(() => {
    const zeros = copies();
    for (const array of Object.values(zeros)) array.fill(0);
    return zeros;
  }) as [typeof values, typeof values, typeof values];
  const names = Object.keys(trained);
  return {
    values,
    accumulate: (batch) =>
      tf.tidy(() => {
        const weights = tensors(frozen);
        const loss = (...adapters: tf.Tensor[]): tf.Tensor => {
          const p = { ...weights, ...Object.fromEntries(names.map((name, i) => [name, adapters[i]!])) };
          return (loraLoss(tensors(batch), p) as { loss: tf.Tensor }).loss;
        };
        const start = names.map((name) => tf.tensor(values[name]!.slice(), [...trained[name]!.shape]));
        const { value, grads } = tf.valueAndGrads(loss)(start);
        names.forEach((name, i) => {
          grads[i]!.dataSync().forEach((gradient, at) => {
            gradients[name]![at]! += gradient;
          });
        });
        return value.dataSync()[0]!;
      }),
    step(step, divisor) {
      const squares = Object.values(gradients).flatMap((array) => [...array].map((g) => (g / divisor) ** 2));
      const norm = Math.sqrt(squares.reduce((a, b) => a + b, 0));
      const scale = Math.min(1, rates.clipNorm / norm) / divisor;
      for (const name of names) {
        const [p, g, m, v] = [values, gradients, first, second].map((arrays) => arrays[name]!) as Float32Array[];
        for (let i = 0; i < p!.length; i++) {
          const gradient = g![i]! * scale;
          m![i] = 0.9 * m![i]! + 0.1 * gradient;
          v![i] = 0.999 * v![i]! + 0.001 * gradient ** 2;
          const update = m![i]! / (1 - 0.9 ** step) / (Math.sqrt(v![i]! / (1 - 0.999 ** step)) + 1e-8);
          p![i] = p![i]! * (1 - rates.learningRate * rates.weightDecay) - rates.learningRate * update;
          g![i] = 0;
        }
      }
      return norm;
    },
  };
}
