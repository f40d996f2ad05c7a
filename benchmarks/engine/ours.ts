import type { Weights } from "../../packages/core/src/index.ts";
import type {
  Decoder,
  Engine,
  HostTensor,
  HostTensors,
  Specs,
  TensorFunction,
} from "../../packages/engine/src/index.ts";
import {
  bertEmbeddingArrays,
  bertEncoder,
  bertLayerArrays,
  encodeBert,
  nestBert,
  readSafetensors,
  readWeights,
  wordPiece,
} from "../../packages/model/src/index.ts";
import {
  cachedAttention,
  crossEntropy,
  gelu,
  type Lora,
  layerNorm,
  linear,
  tf,
} from "../../packages/tensor/src/index.ts";
import { loraScale, shape } from "./inputs.ts";

const eps = 1e-12;

export interface Inputs {
  readonly model: HostTensors;
  readonly head: HostTensors;
  readonly lora: HostTensors;
  readonly batch: HostTensors;
}

/** The weights of a file of `inputs.ts`, by our paths: the model, its head, and the updates `lora.<layer>.<map>.<a|b>`. */
export function readInputs(weightsFile: Uint8Array, batchFile: Uint8Array): Inputs {
  const weights: Weights = readWeights(weightsFile);
  const { layers, width, classes } = shape;
  const head = weights["head.weight"]!.data;
  const turned = new Float32Array(head.length);
  for (let o = 0; o < classes; o++) for (let i = 0; i < width; i++) turned[i * classes + o] = head[o * width + i]!;
  const updates = Object.entries(weights).flatMap(([name, tensor]) => {
    const [, layer, map, part] = /^layer\.(\d+)\.(\w+)\.lora\.([ab])$/.exec(name) ?? [];
    return layer ? [[`lora.${layer}.${map}.${part}`, tensor] as const] : [];
  });
  const { tensors: batch } = readSafetensors(batchFile);
  const ints = (name: string): HostTensor => {
    const { shape, bytes } = batch[name]!;
    return { shape, data: new Int32Array(bytes.slice().buffer) };
  };
  const floats = new Float32Array(batch.mask!.bytes.slice().buffer);
  return {
    model: {
      ...bertEmbeddingArrays(weights),
      ...bertLayerArrays(weights, { layers, prefix: "encoder", width }),
    } as HostTensors,
    head: {
      "head.weight": { shape: [width, classes], data: turned },
      "head.bias": weights["head.bias"]!,
    } as HostTensors,
    lora: Object.fromEntries(updates) as HostTensors,
    batch: {
      ids: ints("ids"),
      mask: { shape: batch.mask!.shape, data: Int32Array.from(floats) },
      labels: ints("labels"),
    },
  };
}

/** Cross-entropy of the head on the mean over each row's tokens: the same as the peer's. */
export const loss = (inputs: Record<string, tf.Tensor>, params: Record<string, tf.Tensor>): tf.Scalar => {
  const { ids, mask, labels } = inputs as { ids: tf.Tensor2D; mask: tf.Tensor2D; labels: tf.Tensor1D };
  const [B, T] = ids.shape;
  const lora: Record<string, Lora> = {};
  for (const name of Object.keys(params)) {
    const [, layer, map] = /^lora\.(\d+)\.(\w+)\.a$/.exec(name) ?? [];
    if (!layer) continue;
    lora[`layers.${layer}.attention.${map}`] = {
      a: params[name] as tf.Tensor2D,
      b: params[name.replace(/a$/, "b")] as tf.Tensor2D,
      scale: loraScale,
    };
  }
  const states = encodeBert(
    nestBert(params),
    { ids, mask, types: tf.zeros([B, T], "int32") },
    { heads: shape.heads, layerNormEps: eps, lora },
  );
  const weight = tf.reshape(tf.cast(mask, "float32"), [B, T, 1]);
  const pooled = tf.div(tf.sum(tf.mul(states, weight), 1), tf.sum(weight, 1)); // [B, D]
  const logits = tf.add(tf.matMul(pooled as tf.Tensor2D, params["head.weight"] as tf.Tensor2D), params["head.bias"]!);
  return crossEntropy(logits as tf.Tensor2D, labels);
};

export const lossSpecs: Specs = {
  ids: { shape: ["B", "T"], dtype: "int32" },
  mask: { shape: ["B", "T"], dtype: "int32" },
  labels: { shape: ["B"], dtype: "int32" },
};

/** The batch in parts of some rows: arrays of a part stay in the cores' caches. */
export function parts(batch: HostTensors, rows: number): HostTensors[] {
  const total = batch.ids!.shape[0]!;
  return Array.from({ length: total / rows }, (_, part) =>
    Object.fromEntries(
      Object.entries(batch).map(([name, { data, shape }]) => {
        const width = data.length / total;
        return [
          name,
          { shape: [rows, ...shape.slice(1)], data: data.slice(part * rows * width, (part + 1) * rows * width) },
        ];
      }),
    ),
  );
}

/** Rows, longest first, in parts of at most so many tokens, each as wide as its longest row. */
export function partsOfTokens(
  widths: readonly number[],
  tokens: number,
): { from: number; to: number; width: number }[] {
  const cuts: { from: number; to: number; width: number }[] = [];
  for (let from = 0; from < widths.length; from = cuts.at(-1)!.to) {
    const width = widths[from]!;
    cuts.push({ from, to: Math.min(widths.length, from + Math.max(1, Math.floor(tokens / width))), width });
  }
  return cuts;
}

/** Some rows of a batch, without the columns that none of them uses. */
export function cutOf(
  batch: HostTensors,
  { from, to, width }: { from: number; to: number; width: number },
): HostTensors {
  return Object.fromEntries(
    Object.entries(batch).map(
      ([
        name,
        {
          data,
          shape: [, columns],
        },
      ]) => {
        if (columns === undefined) return [name, { shape: [to - from], data: data.slice(from, to) }];
        const rows = Array.from({ length: to - from }, (_, row) => {
          const at = (from + row) * columns;
          return [...data.subarray(at, at + width)];
        });
        return [name, { shape: [to - from, width], data: Int32Array.from(rows.flat()) }];
      },
    ),
  );
}

/** The same layers as a causal decoder with a tied head, batch of any size. */
const step: TensorFunction = (inputs, tensors) => {
  const { ids, lengths } = inputs as { ids: tf.Tensor2D; lengths: tf.Tensor1D };
  const { embeddings, layers } = nestBert(tensors);
  const [B, T] = ids.shape;
  const { heads, width } = shape;
  const places: tf.Tensor2D = tf.add(tf.reshape(lengths, [B, 1]), tf.reshape(tf.range(0, T, 1, "int32"), [1, T]));
  const first = tf.slice(embeddings.types, [0, 0], [1, width]);
  const summed = tf.add(tf.add(tf.gather(embeddings.words, ids), tf.gather(embeddings.positions, places)), first);
  let x = layerNorm(summed as tf.Tensor3D, embeddings.norm.gamma, embeddings.norm.beta, eps);
  const outputs: Record<string, tf.Tensor> = {};
  for (const [i, { attention: a, feedForward: f }] of layers.entries()) {
    const [q, k, v] = [a.query, a.key, a.value].map(({ weight, bias }) => linear(x, weight, { bias })) as [
      tf.Tensor3D,
      tf.Tensor3D,
      tf.Tensor3D,
    ];
    const cache = { keys: inputs[`keys.${i}`] as tf.Tensor4D, values: inputs[`values.${i}`] as tf.Tensor4D };
    const y = cachedAttention(q, k, v, cache, { heads, lengths });
    Object.assign(outputs, { [`keys.${i}`]: k, [`values.${i}`]: v });
    const mixed = linear(y, a.output.weight, { bias: a.output.bias });
    x = layerNorm(tf.add(x, mixed) as tf.Tensor3D, a.norm.gamma, a.norm.beta, eps);
    const outer = linear(gelu(linear(x, f.in.weight, { bias: f.in.bias })), f.out.weight, { bias: f.out.bias });
    x = layerNorm(tf.add(x, outer) as tf.Tensor3D, f.norm.gamma, f.norm.beta, eps);
  }
  const last = tf.reshape(tf.slice(x, [0, T - 1, 0], [B, 1, width]), [B, width]);
  return { logits: tf.matMul(last, embeddings.words, false, true), ...outputs };
};

export async function createOurDecoder(engine: Engine, model: HostTensors): Promise<Decoder> {
  const params = await engine.params(model);
  return engine.decoder({
    step,
    params,
    layers: shape.layers,
    keyHeads: shape.heads,
    headWidth: shape.width / shape.heads,
    leastSlots: 256,
  });
}

/** Embeds texts as its users would: tokens, batches of like lengths, mean over the tokens, length 1. */
export async function createEmbedder(
  engine: Engine,
  weightsFile: Uint8Array,
  tokenizerJson: string,
): Promise<(texts: readonly string[], batchTokens?: number) => Promise<Float32Array[]>> {
  const tokenizer = wordPiece(JSON.parse(tokenizerJson));
  const encoder = await bertEncoder(engine, {
    weights: readWeights(weightsFile),
    layers: shape.layers,
    heads: shape.heads,
  });
  return async (texts: readonly string[], batchTokens = 2048): Promise<Float32Array[]> => {
    const rows = texts.map((text, at) => {
      const ids = tokenizer.encode(text).ids;
      return { at, ids: [tokenizer.cls, ...ids, tokenizer.sep].slice(0, shape.tokens) };
    });
    rows.sort((a, b) => a.ids.length - b.ids.length);
    const vectors: Float32Array[] = new Array(texts.length);
    for (let from = 0; from < rows.length; ) {
      let to = from + 1;
      while (to < rows.length && rows[to]!.ids.length * (to + 1 - from) <= batchTokens) to++;
      const batch = rows.slice(from, to);
      const T = batch.at(-1)!.ids.length;
      const size = batch.length * T;
      const [ids, mask] = [new Int32Array(size), new Int32Array(size)];
      for (const [row, { ids: tokens }] of batch.entries()) {
        ids.set(tokens, row * T);
        mask.fill(1, row * T, row * T + tokens.length);
      }
      const states = await encoder.run({ ids, mask, types: new Int32Array(size), shape: [batch.length, T] });
      for (const [row, { at, ids: tokens }] of batch.entries()) {
        vectors[at] = meanOf(states.subarray(row * T * shape.width), tokens.length);
      }
      from = to;
    }
    return vectors;
  };
}

function meanOf(states: Float32Array, count: number): Float32Array {
  const { width } = shape;
  const mean = new Float32Array(width);
  for (let t = 0; t < count; t++) for (let i = 0; i < width; i++) mean[i]! += states[t * width + i]!;
  const length = Math.hypot(...mean);
  return mean.map((value) => value / length);
}
