import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  attention,
  cachedAttention,
  composedKernels,
  dropout,
  gelu,
  layerNorm,
  matMulNBits,
  quantizeNBits,
  rmsNorm,
  tf,
} from "./index.ts";
import { checkGradient, expectNoLeaks } from "./testing.ts";

describe("composedKernels", () => {
  const x = tf.tensor3d([0.1, 0.2, -0.3, 0.4, 0.5, -0.6, 0.7, 0.8, -0.9, 1, 1.1, 1.2], [1, 3, 4]);
  const [gamma, beta] = [tf.tensor1d([1, 2, 3, -1]), tf.tensor1d([0, 1, 0, 2])];
  const calls: string[] = [];

  // A backend that has all of them: each notes what it was called with, and computes what the table says.
  beforeAll(() => {
    for (const [kernelName, composed] of Object.entries(composedKernels)) {
      const kernelFunc: tf.KernelFunc = ({ inputs, attrs }) => {
        const given = Object.entries(inputs).map(([name, input]) => `${name} ${input!.dtype}[${input!.shape}]`);
        const outputs = tf.tidy(() => composed(inputs as tf.NamedTensorMap, attrs!));
        const made = [outputs].flat().map((output) => `[${output.shape}]`);
        calls.push(`${kernelName}(${given.join(", ")}) ${JSON.stringify(attrs)} -> ${made.join(" ")}`);
        return outputs;
      };
      tf.registerKernel({ kernelName, backendName: "cpu", kernelFunc });
    }
  });
  afterAll(() => {
    for (const name of Object.keys(composedKernels)) tf.unregisterKernel(name, "cpu");
  });
  beforeEach(() => {
    calls.length = 0;
  });

  it("are called with rows by the norms", () => {
    layerNorm(x, gamma, beta, 0.5);
    rmsNorm(x, gamma, 0.5);
    expect(calls).toEqual([
      'ClaraLayerNorm(x float32[3,4], gamma float32[4], beta float32[4]) {"epsilon":0.5} -> [3,4] [3,1] [3,1]',
      'ClaraRmsNorm(x float32[3,4], gamma float32[4]) {"epsilon":0.5} -> [3,4] [3,1]',
    ]);
  });

  it("are called with any shape by gelu, and again for its gradient", () => {
    tf.grad((x: tf.Tensor) => tf.sum(gelu(x)))(x);
    expect(calls).toEqual([
      "ClaraGelu(x float32[1,3,4]) {} -> [1,3,4]",
      "ClaraGeluGrad(x float32[1,3,4], dy float32[1,3,4]) {} -> [1,3,4]",
    ]);
  });

  it("are called by attention with a float32 mask, or none", () => {
    const half: tf.Tensor3D = tf.slice(x, [0, 0, 0], [1, 3, 2]);
    attention(x, half, half, { heads: 2, keyHeads: 1, mask: tf.tensor2d([1, 0, 1], [1, 3], "bool") });
    attention(x, x, x, { heads: 2 });
    expect(calls).toEqual([
      "ClaraAttention(q float32[1,3,4], k float32[1,3,2], v float32[1,3,2], mask float32[1,3]) " +
        '{"heads":2,"keyHeads":1} -> [1,3,4]',
      'ClaraAttention(q float32[1,3,4], k float32[1,3,4], v float32[1,3,4]) {"heads":2,"keyHeads":2} -> [1,3,4]',
    ]);
  });

  it("are called by cached attention with the lengths as int32, and 0 for no window", () => {
    const [row, cache] = [tf.ones<tf.Rank.R3>([1, 1, 4]), tf.ones<tf.Rank.R4>([1, 2, 5, 2])];
    cachedAttention(row, row, row, { keys: cache, values: cache }, { heads: 2, lengths: tf.tensor1d([3]) });
    expect(calls).toEqual([
      "ClaraCachedAttention(q float32[1,1,4], k float32[1,1,4], v float32[1,1,4], keys float32[1,2,5,2], " +
        'values float32[1,2,5,2], lengths int32[1]) {"heads":2,"keyHeads":2,"window":0} -> [1,1,4]',
    ]);
  });

  it("are called by dropout with the step as a tensor", () => {
    dropout(x, { rate: 0.25, seed: 7, step: tf.scalar(3, "int32") });
    expect(calls).toEqual(['ClaraDropoutMask(step int32[]) {"shape":[1,3,4],"rate":0.25,"seed":7} -> [1,3,4]']);
  });

  it("are called by matMulNBits with rows, and for the gradient with the weight alone", () => {
    const { packed, scales } = quantizeNBits(new Float32Array(32).fill(1), [2, 16], 16);
    const weight = { packed: tf.tensor2d(packed, [2, 2]), scales: tf.tensor2d(scales, [2, 1]), blockSize: 16 };
    tf.grad((x: tf.Tensor) => tf.sum(matMulNBits(x, weight)))(tf.ones([1, 3, 16]));
    const attrs = '{"K":16,"N":2,"bits":4,"blockSize":16}';
    expect(calls).toEqual([
      `ClaraMatMulNBits(x float32[3,16], packed int32[2,2], scales float32[2,1]) ${attrs} -> [3,2]`,
      `ClaraDequantizeNBits(packed int32[2,2], scales float32[2,1]) ${attrs} -> [2,16]`,
    ]);
  });

  it("leave gradients and memory as they are", () => {
    const mix = tf.reshape(tf.linspace(-1, 1, 12), [1, 3, 4]);
    const block = (x: tf.Tensor): tf.Tensor =>
      tf.tidy(() => {
        const normal = rmsNorm(layerNorm(x as tf.Tensor3D, gamma, beta, 0.1), gamma, 0.1);
        return tf.sum(tf.mul(mix, gelu(attention(normal, normal, normal, { heads: 2 }))));
      });
    checkGradient(block, [x] as const);
    expectNoLeaks(() => tf.grad(block)(x));
  });
});
