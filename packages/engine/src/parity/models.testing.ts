import { attention, crossEntropy, gelu, type Lora, layerNorm, linear, rmsNorm, rotary, silu, tf } from "@clara/tensor";
import type { HostTensors } from "../protocol.ts";
import type { Specs } from "../specs.ts";
import type { LossFunction } from "../trainer.ts";
import { floats, floatsOf, ints } from "./numbers.testing.ts";

/** A loss with all that it needs; `fixtures/parity/make.py` has the same in PyTorch, under the same names. */
export interface Case {
  readonly name: string;
  readonly specs: Specs;
  readonly inputs: HostTensors;
  readonly trained: HostTensors;
  readonly frozen: HostTensors;
  readonly loss: LossFunction;
}

type Named = Record<string, tf.Tensor>;

const [B, T, L, D, F, V] = [3, 6, 2, 32, 64, 40];
const [heads, keyHeads, R, C] = [4, 2, 4, 7];
const lengths = [6, 4, 5];

/** A layer's linear map, with a bias and a LoRA update when the parameters have them. */
function map(p: Named, name: string, x: tf.Tensor): tf.Tensor3D {
  const a = p[`${name}.a`] as tf.Tensor2D | undefined;
  const lora: Lora | undefined = a && { a, b: p[`${name}.b`] as tf.Tensor2D, scale: 2 };
  const bias = p[`${name}.bias`] as tf.Tensor1D | undefined;
  return linear(x as tf.Tensor3D, p[name] as tf.Tensor2D, { bias, lora });
}

/** BERT's encoder and the mean over tokens that are not padding: [B, D]. */
function encode(x: Named, p: Named): tf.Tensor2D {
  const [rows, tokens] = x.ids!.shape as [number, number];
  const norm = (h: tf.Tensor, name: string): tf.Tensor3D =>
    layerNorm(h, p[`${name}.gamma`] as tf.Tensor1D, p[`${name}.beta`] as tf.Tensor1D, 1e-12) as tf.Tensor3D;
  const places = tf.slice(p.positions!, [0, 0], [tokens, D]);
  let h = norm(tf.add(tf.gather(p.words!, x.ids as tf.Tensor2D), places), "norm");
  for (let l = 0; l < L; l++) {
    const [q, k, v] = ["q", "k", "v"].map((part) => map(p, `${l}.${part}`, h)) as [
      tf.Tensor3D,
      tf.Tensor3D,
      tf.Tensor3D,
    ];
    const mixed = attention(q, k, v, { heads, mask: x.mask as tf.Tensor2D });
    h = norm(tf.add(h, map(p, `${l}.o`, mixed)), `${l}.norm1`);
    h = norm(tf.add(h, map(p, `${l}.out`, gelu(map(p, `${l}.in`, h)))), `${l}.norm2`);
  }
  const mask = tf.reshape(tf.cast(x.mask!, "float32"), [rows, tokens, 1]);
  return tf.div(tf.sum(tf.mul(h, mask), 1), tf.sum(mask, 1));
}

/** A causal decoder as Mistral's, with the embedding as its head: [B·T, V]. */
function decode(x: Named, p: Named): tf.Tensor2D {
  const [rows, tokens] = x.ids!.shape as [number, number];
  const norm = (h: tf.Tensor3D, name: string): tf.Tensor3D => rmsNorm(h, p[`${name}.gamma`] as tf.Tensor1D, 1e-5);
  const turn = (h: tf.Tensor3D, count: number): tf.Tensor3D =>
    rotary(h, { positions: x.positions as tf.Tensor2D, heads: count });
  let h = tf.gather(p.words!, x.ids as tf.Tensor2D) as tf.Tensor3D;
  for (let l = 0; l < L; l++) {
    const y = norm(h, `${l}.norm1`);
    const [q, k, v] = ["q", "k", "v"].map((part) => map(p, `${l}.${part}`, y)) as [
      tf.Tensor3D,
      tf.Tensor3D,
      tf.Tensor3D,
    ];
    const mixed = attention(turn(q, heads), turn(k, keyHeads), v, { heads, keyHeads, mask: x.mask as tf.Tensor3D });
    h = tf.add(h, map(p, `${l}.o`, mixed));
    const z = norm(h, `${l}.norm2`);
    h = tf.add(h, map(p, `${l}.down`, tf.mul(silu(map(p, `${l}.gate`, z)), map(p, `${l}.up`, z))));
  }
  return tf.matMul(tf.reshape(norm(h, "norm"), [rows * tokens, D]), p.words as tf.Tensor2D, false, true);
}

const layers = <Value>(make: (l: number) => Record<string, Value>): Record<string, Value> =>
  Object.assign({}, ...Array.from({ length: L }, (_, l) => make(l)));

type Table = Record<string, readonly [readonly number[], number, number?]>;

const encoderWeights: Table = {
  words: [[V, D], 0.3],
  positions: [[32, D], 0.3],
  "norm.gamma": [[D], 0.2, 1],
  "norm.beta": [[D], 0.2],
  ...layers<Table[string]>((l) => ({
    ...Object.fromEntries(
      [
        ...["q", "k", "v", "o"].map((part) => [part, D, D] as const),
        ["in", D, F] as const,
        ["out", F, D] as const,
      ].flatMap(([part, from, to]) => [
        [`${l}.${part}`, [[from, to], 0.3]],
        [`${l}.${part}.bias`, [[to], 0.1]],
      ]),
    ),
    ...Object.fromEntries(
      ["norm1", "norm2"].flatMap((part) => [
        [`${l}.${part}.gamma`, [[D], 0.2, 1]],
        [`${l}.${part}.beta`, [[D], 0.2]],
      ]),
    ),
  })),
};
const decoderMaps = (l: number): [string, number, number][] => {
  const K = (D / heads) * keyHeads;
  const parts: [string, number, number][] = [
    ["q", D, D],
    ["k", D, K],
    ["v", D, K],
    ["o", D, D],
  ];
  return [...parts, ["gate", D, F], ["up", D, F], ["down", F, D]].map(([part, from, to]) => [
    `${l}.${part}`,
    from as number,
    to as number,
  ]);
};
const decoderWeights: Table = {
  words: [[V, D], 0.3],
  "norm.gamma": [[D], 0.2, 1],
  ...layers<Table[string]>((l) => ({
    ...Object.fromEntries(decoderMaps(l).map(([name, from, to]) => [name, [[from, to], 0.3]])),
    [`${l}.norm1.gamma`]: [[D], 0.2, 1],
    [`${l}.norm2.gamma`]: [[D], 0.2, 1],
  })),
};
const adapters = (maps: readonly (readonly [string, number, number])[]): Table =>
  Object.fromEntries(
    maps.flatMap(([name, from, to]) => [
      [`${name}.a`, [[from, R], 0.3]],
      [`${name}.b`, [[R, to], 0.1]],
    ]),
  );
const encoderAdapters = adapters(
  [0, 1].flatMap((l) => ["q", "k", "v", "o"].map((part) => [`${l}.${part}`, D, D] as const)),
);

const mask = {
  shape: [B, T],
  data: Int32Array.from({ length: B * T }, (_, i) => Number(i % T < lengths[Math.floor(i / T)]!)),
};
const encoderInputs: HostTensors = { ids: ints("ids", [B, T], V), mask };
const encoderSpecs: Specs = { ids: { shape: ["B", "T"], dtype: "int32" }, mask: { shape: ["B", "T"], dtype: "int32" } };
const labels = ints("labels", [B], C);
const targets = floats("targets", [B, C], 1);
const head: Table = { head: [[D, C], 0.3], "head.bias": [[C], 0.1] };

const logitsOf = (x: Named, p: Named): tf.Tensor2D =>
  tf.add(tf.matMul(encode(x, p), p.head as tf.Tensor2D), p["head.bias"]!);
const classLoss: LossFunction = (x, p) => crossEntropy(logitsOf(x, p), x.labels as tf.Tensor1D);
const squaredLoss: LossFunction = (x, p) => tf.mean(tf.square(tf.sub(logitsOf(x, p), x.targets!)));
const nextLoss: LossFunction = (x, p) =>
  crossEntropy(decode(x, p), tf.reshape(x.labels!, [-1]) as tf.Tensor1D, {
    mask: tf.reshape(x.weights!, [-1]) as tf.Tensor1D,
  });

/** Row t may read up to t, and no padding. */
const causal = Int32Array.from({ length: B * T * T }, (_, i) => {
  const [b, t, s] = [Math.floor(i / (T * T)), Math.floor(i / T) % T, i % T];
  return Number(s <= t && s < lengths[b]!);
});
const decoderInputs: HostTensors = {
  ids: ints("ids", [B, T], V),
  // Not from 0 for every row: positions are an input like any other.
  positions: { shape: [B, T], data: Int32Array.from({ length: B * T }, (_, i) => (i % T) + 3 * Math.floor(i / T)) },
  mask: { shape: [B, T, T], data: causal },
  labels: ints("labels", [B, T], V),
  weights: { shape: [B, T], data: Float32Array.from(mask.data) },
};
const decoderSpecs: Specs = {
  ids: { shape: ["B", "T"], dtype: "int32" },
  positions: { shape: ["B", "T"], dtype: "int32" },
  mask: { shape: ["B", "T", "T"], dtype: "int32" },
  labels: { shape: ["B", "T"], dtype: "int32" },
  weights: { shape: ["B", "T"] },
};

const classes = {
  specs: { ...encoderSpecs, labels: { shape: ["B"], dtype: "int32" } } satisfies Specs,
  inputs: { ...encoderInputs, labels },
  loss: classLoss,
};

export const encoder: Case = {
  name: "encoder",
  ...classes,
  trained: floatsOf({ ...encoderWeights, ...head }),
  frozen: {},
};
export const encoderLora: Case = {
  name: "encoder-lora",
  ...classes,
  trained: floatsOf({ ...encoderAdapters, ...head }),
  frozen: floatsOf(encoderWeights),
};
export const squaredError: Case = {
  name: "squared-error",
  specs: { ...encoderSpecs, targets: { shape: ["B", C] } },
  inputs: { ...encoderInputs, targets },
  loss: squaredLoss,
  trained: floatsOf({ ...encoderWeights, ...head }),
  frozen: {},
};
export const decoder: Case = {
  name: "decoder",
  specs: decoderSpecs,
  inputs: decoderInputs,
  loss: nextLoss,
  trained: floatsOf(decoderWeights),
  frozen: {},
};
export const decoderLora: Case = {
  ...decoder,
  name: "decoder-lora",
  trained: floatsOf(adapters([0, 1].flatMap(decoderMaps))),
  frozen: floatsOf(decoderWeights),
};

export const cases: readonly Case[] = [encoder, encoderLora, squaredError, decoder, decoderLora];

/** The softmax does not see what is added to all keys alike: this gradient is zero, and what is computed is rounding. */
export const isZeroInTheory = (name: string): boolean => name.endsWith(".k.bias");
