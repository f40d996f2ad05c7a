import { attention, cachedAttention, linear, rmsNorm, rotary, silu, tf } from "@clara/tensor";
import type { TensorFunction } from "../engine.ts";
import type { HostTensors } from "../protocol.ts";
import { createRandom } from "./random.ts";

export interface TinySizes {
  readonly layers: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly headWidth: number;
  readonly hidden: number;
  readonly words: number;
}

export const tiny: TinySizes = { layers: 2, heads: 4, keyHeads: 2, headWidth: 8, hidden: 24, words: 40 };

type Tensors = Record<string, tf.Tensor>;

export interface TinyDecoder {
  readonly arrays: HostTensors;
  readonly step: TensorFunction<Tensors>;
  readonly prompt: TensorFunction<Tensors>;
  readonly logitsOf: (ids: readonly number[]) => Float32Array;
  readonly cache: { readonly layers: number; readonly keyHeads: number; readonly headWidth: number };
}

/** A causal decoder with all that large ones have: RMS norm, rotary positions, grouped keys, SwiGLU, a tied head. */
export function tinyDecoder({ layers, heads, keyHeads, headWidth, hidden, words }: TinySizes = tiny): TinyDecoder {
  const D = heads * headWidth;
  const G = keyHeads * headWidth;
  const shapes: Record<string, number[]> = { words: [words, D], norm: [D] };
  for (let i = 0; i < layers; i++) {
    const own = { q: [D, D], k: [D, G], v: [D, G], o: [D, D], gate: [D, hidden], up: [D, hidden], down: [hidden, D] };
    for (const [name, shape] of Object.entries({ ...own, norm1: [D], norm2: [D] })) shapes[`${i}.${name}`] = shape;
  }
  const draw = createRandom(7);
  const arrays: HostTensors = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const size = tf.util.sizeFromShape(shape);
      const [middle, spread] = name.includes("norm") ? [1, 0.2] : [0, 3 / Math.sqrt(shape[0]!)];
      return [name, { shape, data: Float32Array.from({ length: size }, () => middle + spread * (draw() - 0.5)) }];
    }),
  );

  type Mix = (q: tf.Tensor3D, k: tf.Tensor3D, v: tf.Tensor3D, layer: number) => tf.Tensor3D;
  /** The layers over embeddings, then logits of every token. */
  function layersOf(embedded: tf.Tensor, positions: tf.Tensor, params: Tensors, mix: Mix): tf.Tensor3D {
    const turn = (x: tf.Tensor3D, heads: number) => rotary(x, { positions: positions as tf.Tensor2D, heads });
    let x = embedded as tf.Tensor3D;
    for (let i = 0; i < layers; i++) {
      const map = (x: tf.Tensor3D, name: string) => linear(x, params[`${i}.${name}`] as tf.Tensor2D);
      const h = rmsNorm(x, params[`${i}.norm1`] as tf.Tensor1D, 1e-5);
      const mixed = mix(turn(map(h, "q"), heads), turn(map(h, "k"), keyHeads), map(h, "v"), i);
      x = tf.add(x, map(mixed, "o"));
      const g = rmsNorm(x, params[`${i}.norm2`] as tf.Tensor1D, 1e-5);
      x = tf.add(x, map(tf.mul(silu(map(g, "gate")), map(g, "up")), "down"));
    }
    return rmsNorm(x, params.norm as tf.Tensor1D, 1e-5);
  }

  function head(x: tf.Tensor3D, params: Tensors): tf.Tensor {
    const [B, T] = x.shape;
    const last = tf.reshape(tf.slice(x, [0, T - 1, 0], [B, 1, D]), [B, D]);
    return tf.matMul(last, params.words!, false, true);
  }

  const cached = (embedded: tf.Tensor, inputs: Tensors, params: Tensors) => {
    const [B, T] = embedded.shape as [number, number];
    const lengths = inputs.lengths as tf.Tensor1D;
    const positions = tf.add(tf.reshape(lengths, [B, 1]), tf.range(0, T, 1, "int32"));
    const made: Tensors = {};
    const x = layersOf(embedded, positions, params, (q, k, v, i) => {
      const cache = { keys: inputs[`keys.${i}`] as tf.Tensor4D, values: inputs[`values.${i}`] as tf.Tensor4D };
      Object.assign(made, { [`keys.${i}`]: k, [`values.${i}`]: v });
      return cachedAttention(q, k, v, cache, { heads, keyHeads, lengths });
    });
    return { logits: head(x, params), ...made };
  };

  const step: TensorFunction<Tensors> = (inputs, params) =>
    cached(tf.gather(params.words!, inputs.ids as tf.Tensor2D), inputs, params);
  const prompt: TensorFunction<Tensors> = (inputs, params) => cached(inputs.embeddings!, inputs, params);
  /** Logits of the last token, without a cache. */
  function logitsOf(ids: readonly number[]): Float32Array {
    return tf.tidy(() => {
      const params = Object.fromEntries(
        Object.entries(arrays).map(([k, { data, shape }]) => [k, tf.tensor(data as Float32Array, [...shape])]),
      );
      const T = ids.length;
      const positions = tf.reshape(tf.range(0, T, 1, "int32"), [1, T]);
      const mask = tf.linalg.bandPart(tf.ones([1, T, T]), -1, 0) as tf.Tensor3D;
      const embedded = tf.gather(params.words!, tf.tensor2d([...ids], [1, T], "int32"));
      const x = layersOf(embedded, positions, params, (q, k, v) => attention(q, k, v, { heads, keyHeads, mask }));
      return head(x, params).dataSync() as Float32Array;
    });
  }
  return { arrays, step, prompt, logitsOf, cache: { layers, keyHeads, headWidth } };
}
