import {
  attention,
  composedKernels,
  crossEntropy,
  dropout,
  gelu,
  layerNorm,
  matMulNBits,
  quantizeNBits,
  rmsNorm,
  rotary,
  fused as runFused,
  silu,
  tf,
} from "@clara/tensor";
import { describe, expect, it } from "vitest";
import { type Case, testKernels } from "./cases.testing.ts";
import { type Argument, check, compileProgram, type Fn, floats, ints, session } from "./check.testing.ts";
import { fused } from "./fused.ts";

type Shape = Argument["shape"];

/** The kernel itself, with all its outputs; in TensorFlow.js the form that `@clara/tensor` composes. */
const kernel = (name: string, inputs: tf.NamedTensorMap, attrs: tf.NamedAttrMap): tf.Tensor[] =>
  [runFused(name, inputs, attrs, composedKernels[name]!)].flat() as tf.Tensor[];

const norm = { from: 0.5, to: 2 };

/** q, k and v, and a mask when it has a shape: 0 drops about half of the keys, never the first. */
function attentions(
  heads: number,
  keyHeads: number,
  [B, T, S]: [Shape[0], Shape[0], Shape[0]],
  mask?: "keys" | "tokens",
): Case {
  const width = 3;
  const args = [floats([B, T, heads * width]), floats([B, S, keyHeads * width]), floats([B, S, keyHeads * width])];
  const masks = mask === undefined ? [] : [ints(mask === "keys" ? [B, S] : [B, T, S], [1, 0, 1, 1, 0, 1, 0])];
  return {
    fn: (q, k, v, mask) => attention(q, k, v, { heads, keyHeads, ...(mask && { mask }) }),
    args: [...args, ...masks],
    forms: masks.length === 0,
    title: `${heads} heads, ${keyHeads} of keys${mask ? `, a mask of ${mask}` : ""}`,
  };
}

const packedOf = (N: number, K: number, blockSize: number, bits: 4 | 8): { packed: Argument; scales: Argument } => {
  const weight = Float32Array.from({ length: N * K }, (_, i) => Math.sin(i * 1.7) * (1 + (i % 5)));
  const { packed, scales } = quantizeNBits(weight, [N, K], blockSize, bits);
  return {
    packed: ints([N, (K * bits) / 32], Array.from(packed)),
    scales: floats([N, K / blockSize], Array.from(scales)),
  };
};

testKernels(fused, {
  ClaraLayerNorm: [
    ...[
      [4, 6],
      [1, 6],
      ["B", 6],
      ["B", "T", 6],
    ].map(
      (shape): Case => ({
        fn: (x, gamma, beta) => layerNorm(x, gamma, beta, 1e-5),
        args: [floats(shape), floats([6], norm), floats([6])],
      }),
    ),
    {
      fn: (x, gamma, beta) => kernel("ClaraLayerNorm", { x, gamma, beta }, { epsilon: 1e-3 }),
      args: [floats(["B", 5]), floats([5], norm), floats([5])],
      gradient: false,
      title: "all outputs",
    },
    {
      fn: (x, gamma, beta) => layerNorm(x, gamma, beta, 1e-12),
      args: [floats([2, 4], [3, 3, 3, 3, 1, 2, 3, 4]), floats([4], norm), floats([4])],
      gradient: false,
      forms: false,
      title: "a row of equal numbers",
    },
  ],
  ClaraRmsNorm: [
    ...[
      [4, 6],
      ["B", "T", 6],
    ].map(
      (shape): Case => ({
        fn: (x, gamma) => rmsNorm(x, gamma, 1e-5),
        args: [floats(shape), floats([6], norm)],
      }),
    ),
    {
      fn: (x, gamma) => kernel("ClaraRmsNorm", { x, gamma }, { epsilon: 1e-3 }),
      args: [floats(["B", 5]), floats([5], norm)],
      gradient: false,
      title: "all outputs",
    },
  ],
  ClaraGelu: [[], [7], ["B", 3]].map((shape): Case => ({ fn: gelu, args: [floats(shape, { from: -4, to: 4 })] })),
  ClaraGeluGrad: [
    {
      fn: (x, dy) => kernel("ClaraGeluGrad", { x, dy }, {}),
      args: [floats(["B", 9], { from: -4, to: 4 }), floats(["B", 9])],
      gradient: false,
    },
  ],
  ClaraAttention: [
    attentions(1, 1, [2, 3, 4]),
    attentions(4, 4, [2, 3, 3]),
    attentions(4, 2, [2, 3, 4]),
    attentions(6, 2, ["B", "T", 5]),
    attentions(4, 1, ["B", 1, "T"]),
    attentions(2, 2, [2, 3, 4], "keys"),
    attentions(4, 2, ["B", "T", "T"], "keys"),
    attentions(2, 2, [2, 3, 4], "tokens"),
    attentions(6, 2, ["B", "T", "S"], "tokens"),
  ].map((one) => ({
    ...one,
    sizes: [
      { B: 3, T: 4, S: 5 },
      { B: 1, T: 1, S: 1 },
      { B: 2, T: 6, S: 3 },
    ],
  })),
  ClaraDropoutMask: [
    ...[[7], ["B", "T"], [2, 3, 4], []].map(
      (shape, seed): Case => ({
        fn: (x, step) => dropout(x, { rate: 0.4, seed, step }),
        args: [floats(shape), ints([], [17])],
        forms: false,
      }),
    ),
    ...(
      [
        [0.5, 0, 0],
        [0.1, 4294967295, 1],
        [0.9, 7, 2147483647],
        [0.37, 123456789, -1],
      ] as const
    ).map(
      ([rate, seed, step]): Case => ({
        fn: (step) => kernel("ClaraDropoutMask", { step }, { shape: [997], rate, seed }),
        args: [ints([], [step])],
        tolerance: 0,
        title: `bit for bit at rate ${rate}, seed ${seed}, step ${step}`,
      }),
    ),
  ],
  ClaraMatMulNBits: [
    ...(
      [
        [[3, 32], 5, 16, 4],
        [[1, 64], 8, 32, 4],
        [["B", 64], 4, 64, 4],
        [["B", "T", 32], 3, 32, 4],
        [[3, 32], 5, 16, 8],
        [["B", "T", 64], 3, 32, 8],
      ] as const
    ).map(([shape, N, blockSize, bits]): Case => {
      const { packed, scales } = packedOf(N, shape.at(-1) as number, blockSize, bits);
      return {
        fn: (x, packed, scales) => matMulNBits(x, { packed, scales, blockSize, bits }),
        args: [floats(shape), packed, scales],
        gradient: [0],
        forms: false,
        title: `${bits} bits, blocks of ${blockSize}`,
      };
    }),
  ],
  ClaraDequantizeNBits: (
    [
      [3, 32, 16, 4],
      [4, 64, 32, 4],
      [4, 64, 32, 8],
    ] as const
  ).map(([N, K, blockSize, bits]): Case => {
    const { packed, scales } = packedOf(N, K, blockSize, bits);
    return {
      fn: (packed, scales) => kernel("ClaraDequantizeNBits", { packed, scales }, { N, K, bits, blockSize }),
      title: `${bits} bits`,
      args: [packed, scales],
      gradient: false,
      forms: false,
      tolerance: 0,
    };
  }),
});

describe("attention", () => {
  it.each(["keys", "tokens"] as const)("stays finite where a mask of %s drops every key", async (what) => {
    const shape: Shape = what === "keys" ? [2, 4] : [2, 3, 4];
    const fn: Fn = (q, k, v, mask) => attention(q, k, v, { heads: 2, mask });
    const args = [floats([2, 3, 6]), floats([2, 4, 6]), floats([2, 4, 6]), ints(shape, [0])];
    const run = await session(compileProgram(fn, args));
    const x = (shape: number[]): tf.Tensor => tf.randomNormal(shape);
    const inputs = { x0: x([2, 3, 6]), x1: x([2, 4, 6]), x2: x([2, 4, 6]), x3: tf.zeros(shape as number[], "int32") };
    const [y] = await run(inputs);
    expect(Array.from(y!.data as Float32Array).every(Number.isFinite)).toBe(true);
    await check(fn, args);
  });
});

describe("operations of @clara/tensor", () => {
  it("rotates queries and keys as TensorFlow.js does", async () => {
    const fn: Fn = (x, positions) => rotary(x, { positions, heads: 2 });
    await check(fn, [floats(["B", "T", 8]), ints(["T"], { from: 0, to: 40 })]);
    await check(fn, [floats([2, 3, 8]), ints([2, 3], { from: 0, to: 40 })]);
  });

  it("computes losses as TensorFlow.js does", async () => {
    const labels = ints(["B"], { from: 0, to: 4 });
    await check((logits, labels) => crossEntropy(logits, labels), [floats(["B", 5], { from: -5, to: 5 }), labels]);
    const masked: Fn = (logits, labels, mask) => crossEntropy(logits, labels, { mask });
    await check(masked, [floats(["B", 5]), labels, ints(["B"], [1, 0, 1])]);
    await check((a, b) => tf.losses.meanSquaredError(a, b), [floats(["B", 5]), floats(["B", 5])]);
  });

  it("computes silu as TensorFlow.js does", async () => {
    await check(silu, [floats(["B", 5], { from: -6, to: 6 })]);
  });
});
