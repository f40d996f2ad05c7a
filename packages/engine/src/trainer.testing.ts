import { dropout, tf } from "@clara/tensor";
import { expect } from "vitest";
import type { Engine } from "./engine.ts";
import type { StepOptions } from "./optimizer/step-options.ts";
import type { Params } from "./params.ts";
import { floats } from "./parity/numbers.testing.ts";
import type { HostTensor, HostTensors } from "./protocol.ts";
import type { Specs } from "./specs.ts";
import type { LossFunction, Trainer, TrainerOptions } from "./trainer.ts";

export const vector = (...values: number[]): HostTensor => ({
  shape: [values.length],
  data: Float32Array.from(values),
});

type Tensors = Record<string, tf.Tensor>;

interface Model {
  readonly loss: LossFunction;
  readonly specs: Specs;
  readonly params: HostTensors;
}

/** `sum(a·x) + sum(b)²`: the gradient is x for a, and 2·sum(b) for each of b. */
export const small: Omit<Model, "loss"> & { loss(x: Tensors, p: Tensors): tf.Tensor; batch: HostTensors } = {
  loss: (x, p) => tf.add(tf.sum(tf.mul(p.a!, x.x!)), tf.square(tf.sum(p.b!))),
  specs: { x: { shape: [2] } },
  params: { a: { shape: [1, 2], data: Float32Array.of(1, 2) }, b: vector(0.5, 0.25) },
  batch: { x: vector(3, 4) },
};

/** A network over batches of any size; its loss is the mean over rows. */
export const network: Model & { batch(from: number, to: number): HostTensors } = {
  specs: { x: { shape: ["B", 8] }, y: { shape: ["B", 3] } },
  params: {
    w1: floats("w1", [8, 16], 0.5),
    b1: floats("b1", [16], 0.5),
    w2: floats("w2", [16, 3], 0.5),
  },
  loss: (x, p) => squaredError(x, p, hidden(x, p)),
  /** Rows `from` to `to` of an endless batch. */
  batch: (from: number, to: number): HostTensors => ({ x: rows("x", 8, from, to), y: rows("y", 3, from, to) }),
};
/** The same with dropout by the number of the step. */
export const dropping: Model & { batch(from: number, to: number, step: number): HostTensors } = {
  ...network,
  specs: { ...network.specs, step: { shape: [], dtype: "int32" } },
  loss: (x, p) => {
    const kept = dropout(hidden(x, p), { rate: 0.5, seed: 7, step: x.step as tf.Scalar });
    return { loss: squaredError(x, p, kept), kept };
  },
  batch: (from: number, to: number, step: number): HostTensors => ({
    ...network.batch(from, to),
    step: { shape: [], data: Int32Array.of(step) },
  }),
};

function hidden(x: Tensors, p: Tensors): tf.Tensor2D {
  return tf.tanh(tf.add(tf.matMul(x.x as tf.Tensor2D, p.w1 as tf.Tensor2D), p.b1!));
}

function squaredError(x: Tensors, p: Tensors, h: tf.Tensor2D): tf.Tensor {
  return tf.mean(tf.square(tf.sub(tf.matMul(h, p.w2 as tf.Tensor2D), x.y!)));
}

function rows(name: string, width: number, from: number, to: number): HostTensor {
  const { data } = floats(name, [to, width], 1);
  return { shape: [to - from, width], data: data.slice(from * width) };
}

/** A model's parameters, all trainable, and their trainer. */
export async function start(
  engine: Engine,
  { loss, specs, params: given }: Model,
  options: Omit<TrainerOptions, "params"> = {},
): Promise<{ trainer: Trainer; params: Params }> {
  const params = await engine.params(given, { trainable: true });
  return { params, trainer: await engine.trainer(loss, specs, { params, ...options }) };
}

export const values = async (params: Params, name: string): Promise<number[]> => [
  ...(await params.read([name]))[name]!.data,
];
/** The numbers up to rounding, for `toEqual`. */
export const close = (expected: readonly number[], digits = 6): unknown[] =>
  expected.map((value) => expect.closeTo(value, digits));
/** Keeps parameters as they are; the first moment is then the gradient. */
export const still: StepOptions = { learningRate: 0, beta1: 0 };
