import {
  attention,
  crossEntropy,
  dropout,
  gelu,
  layerNorm,
  linear,
  matMulNBits,
  quantizeNBits,
  tf,
} from "@clara/tensor";
import { expect } from "vitest";
import type { Engine, TensorFunction } from "./engine.ts";
import * as numbers from "./parity/numbers.testing.ts";
import type { HostTensor, HostTensors } from "./protocol.ts";
import type { Sizes } from "./size.ts";
import type { Specs } from "./specs.ts";

/** A function that every engine must compute as TensorFlow.js's CPU back end does. */
export interface ParityCase {
  readonly title: string;
  readonly fn: TensorFunction;
  readonly specs: Specs;
  readonly weights?: HostTensors;
  readonly leastSizes?: Sizes;
  /** One set of inputs for each run of the same compiled function. */
  readonly runs: readonly HostTensors[];
}

/** Numbers of no pattern from `-spread` to `spread`, the same each time. */
export const floats = (shape: readonly number[], seed = 1, spread = 1): HostTensor =>
  numbers.floats(`${seed}`, shape, spread);

/** Whole numbers from 0 to `below` - 1. */
export const ints = (shape: readonly number[], below: number, seed = 1): HostTensor =>
  numbers.ints(`${seed}`, shape, below);

const bools = (shape: readonly number[], seed = 1): HostTensor => ({
  data: Uint8Array.from(ints(shape, 2, seed).data),
  shape,
});

type Records = Parameters<TensorFunction>;

const [words, width, heads, inner] = [23, 16, 4, 24];

/** An encoder with two layers: every hidden state, and the mean over the tokens that count. */
function encode(inputs: Records[0], p: Records[1]): { layers: tf.Tensor[]; mean: tf.Tensor } {
  const [B, T] = inputs.ids!.shape as [number, number];
  const mask = inputs.mask as tf.Tensor2D;
  const positions = tf.slice(p.positions!, [0, 0], [T, width]);
  let h: tf.Tensor3D = tf.add(tf.gather(p.words!, inputs.ids as tf.Tensor2D), positions); // [B, T, D]
  const norm = (x: tf.Tensor, name: string): tf.Tensor3D =>
    layerNorm(x as tf.Tensor3D, p[`${name}.gamma`] as tf.Tensor1D, p[`${name}.beta`] as tf.Tensor1D, 1e-12);
  const layers = [0, 1].map((layer) => {
    const project = (x: tf.Tensor3D, name: string): tf.Tensor3D =>
      linear(x, p[`${layer}.${name}`] as tf.Tensor2D, { bias: p[`${layer}.${name}.bias`] as tf.Tensor1D });
    const mixed = attention(project(h, "query"), project(h, "key"), project(h, "value"), { heads, mask });
    const attended = norm(tf.add(h, project(mixed, "output")), `${layer}.first`);
    h = norm(tf.add(attended, project(gelu(project(attended, "up")), "down")), `${layer}.second`);
    return h;
  });
  const kept = tf.reshape(tf.cast(mask, "float32"), [B, T, 1]);
  return { layers, mean: tf.div(tf.sum(tf.mul(h, kept), 1), tf.sum(kept, 1)) };
}

const encoderWeights: HostTensors = {
  words: floats([words, width], 1),
  positions: floats([40, width], 2),
  ...Object.fromEntries(
    [0, 1].flatMap((layer) => {
      const seed = 10 * (layer + 1);
      const matrix = (name: string, [rows, columns]: [number, number], at: number): [string, HostTensor][] => [
        [`${layer}.${name}`, floats([rows, columns], seed + at, 0.4)],
        [`${layer}.${name}.bias`, floats([columns], seed + at + 100, 0.2)],
      ];
      const norm = (name: string, at: number): [string, HostTensor][] => [
        [`${layer}.${name}.gamma`, floats([width], seed + at, 1.5)],
        [`${layer}.${name}.beta`, floats([width], seed + at + 100)],
      ];
      return [
        ...["query", "key", "value", "output"].flatMap((name, at) => matrix(name, [width, width], at)),
        ...matrix("up", [width, inner], 5),
        ...matrix("down", [inner, width], 6),
        ...norm("first", 7),
        ...norm("second", 8),
      ];
    }),
  ),
};

/** A batch whose rows have 1, 2, … tokens that count, and at most all. */
function encoderInputs(B: number, T: number): HostTensors {
  const mask = Int32Array.from({ length: B * T }, (_, i) => (i % T <= Math.floor(i / T) ? 1 : 0));
  return { ids: ints([B, T], words, B), mask: { data: mask, shape: [B, T] } };
}

const quantized = quantizeNBits(floats([5, 32], 3).data as Float32Array, [5, 32], 16);

export const parityCases: readonly ParityCase[] = [
  {
    title: "an encoder, for batches of several sizes",
    fn: encode,
    specs: { ids: { shape: ["B", "T"], dtype: "int32" }, mask: { shape: ["B", "T"], dtype: "int32" } },
    weights: encoderWeights,
    runs: [encoderInputs(2, 5), encoderInputs(1, 1), encoderInputs(3, 12), encoderInputs(2, 5)],
  },
  {
    title: "an encoder of one size",
    fn: encode,
    specs: { ids: { shape: [2, 5], dtype: "int32" }, mask: { shape: [2, 5], dtype: "int32" } },
    weights: encoderWeights,
    runs: [encoderInputs(2, 5)],
  },
  {
    title: "gradients by inputs and by parameters",
    fn: ({ x, labels }, { w, gamma, beta }) => {
      const loss = (x: tf.Tensor, w: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor): tf.Scalar => {
        const hidden: tf.Tensor2D = gelu(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D)); // [B, 4]
        return crossEntropy(layerNorm(hidden, gamma as tf.Tensor1D, beta as tf.Tensor1D, 1e-5), labels as tf.Tensor1D);
      };
      const { value, grads } = tf.valueAndGrads(loss)([x!, w!, gamma!, beta!]);
      return { value, gradients: { x: grads[0]!, w: grads[1]!, norm: [grads[2]!, grads[3]!] } };
    },
    specs: { x: { shape: ["B", 3] }, labels: { shape: ["B"], dtype: "int32" } },
    weights: { w: floats([3, 4], 1), gamma: floats([4], 2), beta: floats([4], 3) },
    runs: [1, 4].map((B) => ({ x: floats([B, 3], B), labels: ints([B], 4, B) })),
  },
  {
    title: "sizes in shapes, factors and broadcasts",
    fn: ({ x, y }) => {
      const [B, T] = x!.shape as [number, number];
      const flat = tf.reshape(x!, [B * T, 2]);
      const table = tf.matMul(flat, tf.transpose(flat)); // [B·T, B·T]
      const wide = tf.concat([x!, tf.tile(tf.reshape(y!, [1, T, 1]), [B, 1, 3])], 2); // [B, T, 5]
      const steps = tf.reshape(tf.range(0, T), [T, 1]);
      return [tf.mean(tf.reshape(table, [B, T, B * T]), [0, 1]), tf.div(tf.sum(wide, 1), T), tf.mul(steps, y!)];
    },
    specs: { x: { shape: ["B", "T", 2] }, y: { shape: ["T"] } },
    runs: (
      [
        [2, 3],
        [1, 1],
        [4, 2],
      ] as const
    ).map(([B, T]) => ({ x: floats([B, T, 2], B), y: floats([T], T) })),
  },
  {
    title: "whole numbers and truth values, in and out",
    fn: ({ a, b, mask, x }) => ({
      sum: tf.add(a!, b!),
      product: tf.mul(a!, tf.scalar(-3, "int32")),
      smaller: tf.less(a!, b!),
      not: tf.logicalNot(mask!),
      both: tf.logicalAnd(mask!, tf.greater(x!, 0)),
      chosen: tf.where(mask! as tf.Tensor<tf.Rank>, x!, tf.neg(x!)),
      counted: tf.sum(tf.cast(mask!, "int32"), -1),
      best: tf.argMax(x!, -1),
      whole: tf.cast(tf.mul(x!, 10), "int32"),
    }),
    specs: {
      a: { shape: ["N", 3], dtype: "int32" },
      b: { shape: ["N", 3], dtype: "int32" },
      mask: { shape: ["N", 3], dtype: "bool" },
      x: { shape: ["N", 3] },
    },
    runs: [1, 4].map((N) => ({
      a: ints([N, 3], 9, 1),
      b: ints([N, 3], 9, 2),
      mask: bools([N, 3], 3),
      x: floats([N, 3], 4),
    })),
  },
  {
    title: "dropout and its gradient, another mask at each step",
    fn: ({ x, step }) => {
      const drop = (x: tf.Tensor): tf.Tensor => dropout(x, { rate: 0.4, seed: 7, step: step as tf.Scalar });
      return { dropped: drop(x!), gradient: tf.grad((x: tf.Tensor) => tf.square(drop(x)))(x!) };
    },
    specs: { x: { shape: ["N", 5] }, step: { shape: [], dtype: "int32" } },
    runs: [0, 1, 70_000].map((step) => ({ x: floats([6, 5]), step: { data: Int32Array.of(step), shape: [] } })),
  },
  {
    title: "a product with weights of 4 bits, and its gradient",
    fn: ({ x }, { packed, scales }) => {
      const weight = { packed: packed as tf.Tensor2D, scales: scales as tf.Tensor2D, blockSize: 16 };
      const product = (x: tf.Tensor): tf.Tensor => matMulNBits(x as tf.Tensor2D, weight);
      return { product: product(x!), gradient: tf.grad((x: tf.Tensor) => tf.square(product(x)))(x!) };
    },
    specs: { x: { shape: ["B", 32] } },
    weights: {
      packed: { data: quantized.packed, shape: [5, 4] },
      scales: { data: quantized.scales, shape: [5, 2] },
    },
    runs: [1, 3].map((B) => ({ x: floats([B, 32], B) })),
  },
  {
    title: "the best of many, and what lies at their places",
    fn: ({ scores }, { memories }) => {
      const { values, indices } = tf.topk(scores!, 3);
      return { values, indices, memories: tf.gather(memories!, indices as tf.Tensor2D) };
    },
    specs: { scores: { shape: ["B", "N"] } },
    weights: { memories: floats([40, 4], 5) },
    leastSizes: { N: 3 },
    runs: (
      [
        [2, 3],
        [1, 40],
        [3, 17],
      ] as const
    ).map(([B, N]) => ({ scores: floats([B, N], N) })),
  },
];

/** Compiles and runs a case, and expects what TensorFlow.js's CPU back end computes, tensor by tensor. */
export async function expectParity(
  engine: Engine,
  { fn, specs, weights = {}, leastSizes, runs }: ParityCase,
  tolerance: number,
): Promise<void> {
  await tf.setBackend("cpu");
  const params = await engine.params(weights);
  const compiled = await engine.compile(fn, specs, { params, ...(leastSizes && { leastSizes }) });
  for (const inputs of runs) {
    const given = tensors(inputs);
    const known = tensors(weights);
    const expected = tf.tidy(() => fn(given, known));
    const actual = await compiled(given);
    expectClose(actual, expected, tolerance);
    tf.dispose([given, known, expected, actual] as tf.TensorContainer);
  }
  await compiled.dispose();
  await params.dispose();
}

export const tensors = (arrays: HostTensors): Record<string, tf.Tensor> =>
  Object.fromEntries(
    Object.entries(arrays).map(([name, { data, shape }]) => {
      const dtype = data instanceof Int32Array ? "int32" : data instanceof Uint8Array ? "bool" : "float32";
      return [name, tf.tensor(data.slice(), [...shape], dtype)];
    }),
  );

/** The same structure, types and shapes; whole numbers the same, others within a relative L2 difference. */
function expectClose(actual: tf.TensorContainer, expected: tf.TensorContainer, tolerance: number, at = "result"): void {
  if (!(expected instanceof tf.Tensor)) {
    const [got, wanted] = [actual, expected] as Record<string, tf.TensorContainer>[];
    expect([at, Array.isArray(got), Object.keys(got!)]).toEqual([at, Array.isArray(wanted), Object.keys(wanted!)]);
    for (const key of Object.keys(wanted!)) expectClose(got![key], wanted![key], tolerance, `${at}.${key}`);
    return;
  }
  const { dtype, shape } = actual as tf.Tensor;
  expect({ at, dtype, shape }).toEqual({ at, dtype: expected.dtype, shape: expected.shape });
  const [got, wanted] = [actual as tf.Tensor, expected].map((tensor) => tensor.dataSync());
  if (dtype !== "float32") expect({ at, data: got }).toEqual({ at, data: wanted });
  else expect(difference(got as Float32Array, wanted as Float32Array), at).toBeLessThanOrEqual(tolerance);
}

/** ‖a - b‖ / ‖b‖ */
export function difference(a: Float32Array, b: Float32Array): number {
  const norm = (x: Float32Array): number => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
  return norm(a.map((value, i) => value - b[i]!)) / Math.max(norm(b), 1e-6);
}
