import { dequantizeMemory, quantizeMemory } from "@clara/compressor";
import type { Engine } from "@clara/engine";
import { bertEmbeddingArrays, bertLayerArrays, encodeBert, nestBert } from "@clara/model";
import { tf } from "@clara/tensor";
import { random } from "../random.ts";
import type { TrainableModel } from "../recipe.ts";
import { shapeOf } from "./shape.ts";

/** A passage that has been compressed once, at rate 1: a narrow state for each token, from which every rate follows. */
export interface PassageStates {
  /** [L, d] row-major, rounded. */
  readonly values: Int8Array;
  /** What one step of them is worth. */
  readonly scale: number;
  /** Tokens L, CLS, title and SEP included. */
  readonly length: number;
  /** Tokens before the first of the text. */
  readonly head: number;
}

/**
 * Memory tokens of a passage at a rate, rounded to the bits in which a pack keeps them.
 *
 * @returns [M, width]
 */
export function memoryTokens({ values, scale, length }: PassageStates, rate: number, width: number): Float32Array {
  const count = Math.ceil(length / rate);
  const vectors = new Float32Array(count * width);
  const tokens = Uint16Array.from({ length: count }, (_, m) => Math.min(length, (m + 1) * rate) - m * rate);
  for (let t = 0; t < length; t++) {
    const m = Math.floor(t / rate);
    const worth = scale / tokens[m]!;
    for (let d = 0; d < width; d++) vectors[m * width + d]! += values[t * width + d]! * worth;
  }
  const memory = { rate, count, width, vectors, tokens, spans: new Uint32Array(2 * count) };
  return dequantizeMemory(quantizeMemory(memory, { bits: 2 })).vectors;
}

/** States of passages, each encoded when it is first asked for and kept: the document side does not learn. */
export interface PassageStore {
  /** Width d. */
  readonly width: number;
  /** All texts, in the order given. */
  get(passages: readonly { readonly text: string; readonly title?: string | undefined }[]): Promise<PassageStates[]>;
  dispose(): Promise<void>;
}

/**
 * A store over the model's compressor and bottleneck. Half a gigabyte for ten thousand passages of 200 tokens at width 256.
 *
 * @param options.titled share of the passages that are compressed with their title
 */
export async function passageStore(
  engine: Engine,
  model: TrainableModel,
  { titled = 0.5, maxTokens = 256, seed = 0 }: { titled?: number; maxTokens?: number; seed?: number } = {},
): Promise<PassageStore> {
  const encoder = await compileStates(engine, model);
  const { tokenizer } = model;
  const kept = new Map<string, PassageStates>();
  return {
    width: encoder.width,
    async get(passages) {
      const fresh = [...new Map(passages.map((passage) => [passage.text, passage])).values()]
        .filter(({ text }) => !kept.has(text))
        .map(({ text, title = "" }) => {
          const named = title !== "" && random(seed, hash(text)).chance(titled);
          const head = [tokenizer.cls, ...(named ? tokenizer.encode(`${title}\n`).ids.subarray(0, 32) : [])];
          const body = tokenizer.encode(text).ids.subarray(0, maxTokens - 1 - head.length);
          return { text, head: head.length, ids: [...head, ...body, tokenizer.sep] };
        })
        .sort((a, b) => b.ids.length - a.ids.length);
      for (let at = 0; at < fresh.length; ) {
        const run = fresh.slice(at, at + Math.max(1, Math.floor(1024 / fresh[at]!.ids.length)));
        at += run.length;
        const states = await encoder.run(run.map(({ ids }) => ids));
        run.forEach(({ text, head, ids }, i) => {
          kept.set(text, { ...rounded(states[i]!), length: ids.length, head });
        });
      }
      return passages.map(({ text }) => kept.get(text)!);
    },
    dispose: () => encoder.dispose(),
  };
}

export interface StatesEncoder {
  /** Width of a state: the bottleneck's where the model has one. */
  readonly width: number;
  /** The states of each sequence, [L, width]. */
  run(sequences: readonly (readonly number[])[]): Promise<Float32Array[]>;
  dispose(): Promise<void>;
}

/** The model's compressor, with its bottleneck where it has one, as it is: nothing of it learns here. */
export async function compileStates(
  engine: Engine,
  { weights, tokenizer, config }: TrainableModel,
): Promise<StatesEncoder> {
  const { heads, layers, width: D, layerNormEps } = shapeOf({ weights, tokenizer, config });
  const down = weights["compressor.bottleneck.weight"];
  const width = down?.shape[1] ?? D;
  const stores = [
    await engine.params(bertEmbeddingArrays(weights, "compileStates")),
    await engine.params({
      ...bertLayerArrays(weights, { layers, width: D, prefix: "compressor" }, "compileStates"),
      ...(down && { down }),
    }),
  ];
  const tokens = { shape: ["B", "T"], dtype: "int32" } as const;
  const compiled = await engine.compile(
    (inputs, tensors) => {
      const { ids, mask } = inputs as Record<string, tf.Tensor2D>;
      const [B, T] = ids!.shape;
      const { down: narrowing, ...rest } = tensors;
      const batch = { ids: ids!, types: tf.zerosLike(ids!), mask: mask! };
      const states = encodeBert(nestBert(rest), batch, { heads, layerNormEps });
      const flat = tf.reshape(states, [B * T, D]) as tf.Tensor2D;
      return { states: narrowing ? tf.matMul(flat, narrowing as tf.Tensor2D) : flat };
    },
    { ids: tokens, mask: tokens },
    { params: stores },
  );
  return {
    width,
    async run(sequences) {
      const T = Math.max(...sequences.map(({ length }) => length));
      const ids = new Int32Array(sequences.length * T).fill(tokenizer.pad);
      const mask = new Int32Array(sequences.length * T);
      sequences.forEach((sequence, row) => {
        ids.set(sequence, row * T);
        mask.fill(1, row * T, row * T + sequence.length);
      });
      const shape = [sequences.length, T];
      const { states } = await compiled.run({ ids: { data: ids, shape }, mask: { data: mask, shape } });
      const all = states!.data as Float32Array;
      return sequences.map(({ length }, row) => all.subarray(row * T * width, (row * T + length) * width));
    },
    async dispose() {
      await compiled.dispose();
      for (const store of stores) await store.dispose();
    },
  };
}

function rounded(states: Float32Array): { values: Int8Array; scale: number } {
  const largest = states.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const scale = largest === 0 ? 1 : largest / 127;
  return { values: Int8Array.from(states, (x) => Math.round(x / scale)), scale };
}

/** A number of 32 bits from a text, for what is drawn once for each. */
function hash(text: string): number {
  let mixed = 0;
  for (let i = 0; i < text.length; i++) mixed = (Math.imul(mixed, 31) + text.charCodeAt(i)) | 0;
  return mixed >>> 0;
}
