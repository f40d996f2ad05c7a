import { readFileSync } from "node:fs";
import { tf } from "@clara/tensor";
import { expect } from "vitest";
import type { Engine } from "../engine.ts";
import type { HostTensors } from "../protocol.ts";
import { type Case, isZeroInTheory } from "./models.testing.ts";
import { hash, seedOf } from "./numbers.testing.ts";

export interface Computed {
  readonly loss: number;
  readonly gradients: Readonly<Record<string, Float32Array>>;
}

/** Loss and gradients by TensorFlow.js's CPU back end, operation by operation. */
export function eager({ inputs, frozen, loss }: Case, trained: HostTensors): Computed {
  const names = Object.keys(trained);
  return tf.tidy(() => {
    const tensors = (from: HostTensors): Record<string, tf.Tensor> =>
      Object.fromEntries(
        Object.entries(from).map(([name, { data, shape }]) => {
          const dtype = data instanceof Int32Array ? "int32" : "float32";
          return [name, tf.tensor(data as Float32Array, [...shape], dtype)];
        }),
      );
    const [x, fixed] = [tensors(inputs), tensors(frozen)];
    const differentiate = tf.valueAndGrads((...values) => {
      const own = Object.fromEntries(names.map((name, i) => [name, values[i]!]));
      return loss(x, { ...fixed, ...own }) as tf.Scalar;
    });
    const { value, grads } = differentiate(Object.values(tensors(trained)));
    const gradients = Object.fromEntries(names.map((name, i) => [name, grads[i]!.dataSync() as Float32Array]));
    return { loss: value.dataSync()[0]!, gradients };
  });
}

/** Loss and gradients by a trainer: with no memory of its past, the first moment is the gradient. */
export async function trained(engine: Engine, { specs, inputs, trained, frozen, loss }: Case): Promise<Computed> {
  const stores = [await engine.params(trained, { trainable: true })];
  if (Object.keys(frozen).length > 0) stores.push(await engine.params(frozen));
  const trainer = await engine.trainer(loss, specs, { params: stores });
  const batch = await trainer.accumulate(inputs);
  await trainer.step({ learningRate: 0, beta1: 0 });
  const { moments } = await trainer.state();
  for (const part of [trainer, ...stores]) await part.dispose();
  return {
    loss: batch.loss,
    gradients: Object.fromEntries(Object.entries(moments).map(([name, { first }]) => [name, first])),
  };
}

export function expectSameGradients(actual: Computed, expected: Computed, tolerance: number): void {
  expect(Math.abs(actual.loss / expected.loss - 1)).toBeLessThan(tolerance);
  expect(Object.keys(actual.gradients).sort()).toEqual(Object.keys(expected.gradients).sort());
  const errors = Object.entries(expected.gradients).map(([name, gradient]) => {
    const difference = norm(gradient.map((value, i) => value - actual.gradients[name]![i]!));
    return { name, error: isZeroInTheory(name) ? difference : difference / norm(gradient) };
  });
  expect(errors.filter(({ error }) => !(error < tolerance))).toEqual([]);
}

/** What `make.py` keeps of a gradient: its length, and its products with rows of ±1, each about as far off as all of it. */
interface Golden {
  readonly torch: string;
  readonly loss: number;
  readonly gradients: Readonly<Record<string, { readonly norm: number; readonly products: readonly number[] }>>;
  /** Of steps with AdamW, where the file has them. */
  readonly losses?: readonly number[];
}

export function readGolden(name: string): Golden {
  return JSON.parse(readFileSync(new URL(`../../fixtures/parity/${name}.json`, import.meta.url), "utf8"));
}

export function expectGolden(actual: Computed, golden: Golden, tolerance: number): void {
  expect(Math.abs(actual.loss / golden.loss - 1)).toBeLessThan(tolerance);
  expect(Object.keys(actual.gradients).sort()).toEqual(Object.keys(golden.gradients).sort());
  const errors = Object.entries(golden.gradients).map(([name, { norm, products }]) => {
    const squares = products.map((product, row) => (product - productWith(actual.gradients[name]!, row)) ** 2);
    const difference = Math.sqrt(squares.reduce((a, b) => a + b) / products.length);
    return { name, error: isZeroInTheory(name) ? difference : difference / norm };
  });
  expect(errors.filter(({ error }) => !(error < tolerance))).toEqual([]);
}

function productWith(gradient: Float32Array, row: number): number {
  const seed = seedOf(`row ${row}`);
  return gradient.reduce((sum, value, i) => sum + (hash(i, seed) < 0.5 ? -value : value), 0);
}

export function norm(values: ArrayLike<number>): number {
  return Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0));
}
