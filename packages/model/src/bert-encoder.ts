import { ClaraError, type Weights } from "@clara/core";
import { type BertBatch, encodeBert, encodeBertSource } from "./bert.ts";
import { bertLayerArrays } from "./bert-arrays.ts";
import { bertEmbeddings, type EngineEmbeddings } from "./bert-embeddings.ts";
import { nestBert } from "./bert-params.ts";
import type { Encoder, TokenBatch } from "./encoder.ts";
import type { EncoderEngine, EngineParams } from "./engine.ts";

export interface BertEncoderOptions<Params extends EngineParams> {
  /** float32 tensors under Hugging Face's names for BERT. */
  readonly weights: Weights;
  readonly layers: number;
  /** `H`, divides D. */
  readonly heads: number;
  /** Layer i is read from `<prefix>.layer.<i>.…`. @default "encoder" */
  readonly prefix?: string;
  /** @default 1e-12 */
  readonly layerNormEps?: number;
  /**
   * LoRA updates by path, `layers.<i>.attention.query.a` [I, R] and `.b` [R, O]: one stack of layers in another role. The
   * scale is part of `b`. They are merged into this encoder's own copy of the weights: as 72 small products beside the maps'
   * own they would cost a question more than the layers do. ClaraError "weights" for one that fits no map of these layers.
   * @default {}
   */
  readonly adapter?: Weights;
  /** Those of `bertEmbeddings`, when several encoders share them; they stay the caller's. @default the checkpoint's */
  readonly embeddings?: EngineEmbeddings<Params>;
}

/**
 * A BERT encoder on an engine: `encodeBert`, compiled once for every batch size and length.
 *
 * @param engine that of `@clara/engine`. It stays the caller's.
 * @throws ClaraError "weights" when a tensor is missing or misshapen, "option" for impossible numbers, "engine" when the
 *   engine fails.
 */
export async function bertEncoder<Params extends EngineParams>(
  engine: EncoderEngine<Params>,
  options: BertEncoderOptions<Params>,
): Promise<Encoder> {
  const { weights, layers, heads, prefix = "encoder", layerNormEps = 1e-12, adapter = {} } = options;
  if (!Number.isInteger(layers) || layers < 1) {
    throw new ClaraError("option", `bertEncoder: layers must be an integer of at least 1, got ${layers}`);
  }
  const embeddings = options.embeddings ?? bertEmbeddings(engine, weights);
  const parts: Promise<EngineParams>[] = options.embeddings ? [] : [embeddings.params];
  /** What an engine that has ended cannot free is free already. */
  const release = async (): Promise<void> => {
    for (const part of parts.splice(0).reverse()) await part.then((made) => made.dispose()).catch(() => {});
  };
  try {
    const { width } = embeddings;
    if (!Number.isInteger(heads) || heads < 1 || width % heads !== 0) {
      throw new ClaraError("option", `bertEncoder: heads must divide the width ${width}, got ${heads}`);
    }
    // Both are on their way at once: one is checked over there while the other is made here.
    const arrays = bertLayerArrays(weights, { layers, prefix, width }, "bertEncoder");
    checkAdapter(adapter, arrays);
    merge(adapter, arrays);
    const stack = engine.params(arrays, { transfer: true });
    parts.push(stack);
    const params = await Promise.all([embeddings.params, stack]);
    const compiling = engine.compile(
      (batch, tensors) => ({
        states: encodeBert(nestBert(tensors), batch as BertBatch, { heads, layerNormEps }),
      }),
      { ids: tokens, types: tokens, mask: tokens },
      { params, key: `${layers} layers, ${heads} heads, eps ${layerNormEps}\n${encodeBertSource}` },
    );
    parts.push(compiling);
    return encoderOf(await compiling, embeddings, release);
  } catch (error) {
    await release();
    throw error;
  }
}

/** An update that fits no map, or is half of one, would only be seen while compiling, or trains and changes nothing. */
function checkAdapter(adapter: Weights, arrays: Weights): void {
  for (const name of Object.keys(adapter)) {
    const path = /^(.+)\.[ab]$/.exec(name)?.[1];
    const map = path === undefined ? undefined : arrays[`${path}.weight`];
    if (map === undefined) {
      const example = 'such as "layers.0.attention.query.a"';
      throw new ClaraError(
        "weights",
        `bertEncoder: adapter: no linear map has an update "${name}"; names are ${example}`,
      );
    }
    const [I, O] = map.shape;
    const [a, b] = [adapter[`${path}.a`], adapter[`${path}.b`]];
    const R = a?.shape[1];
    const fits =
      a?.shape.length === 2 && b?.shape.length === 2 && a.shape[0] === I && b.shape[0] === R && b.shape[1] === O;
    if (fits) continue;
    const [gotA, gotB] = [a, b].map((part) => (part ? `[${part.shape.join(", ")}]` : "none"));
    throw new ClaraError(
      "weights",
      `bertEncoder: adapter: "${path}" needs a [${I}, R] and b [R, ${O}], got a ${gotA} and b ${gotB}`,
    );
  }
}

/**
 * Adds each update, a·b, to the map that it is for. Both were checked to fit. Four ranks at a time, since a first question
 * waits for it: one at a time reads and writes the map four times as often, and takes twice as long.
 */
function merge(adapter: Weights, arrays: Weights): void {
  for (const name of Object.keys(adapter).filter((name) => name.endsWith(".a"))) {
    const path = name.slice(0, -2);
    const [a, b] = [adapter[name]!, adapter[`${path}.b`]!];
    const [I, R] = a.shape as [number, number];
    const O = b.shape[1]!;
    const weight = arrays[`${path}.weight`]!.data; // [I, O]
    const nothing = new Float32Array(O);
    const ranks = Array.from({ length: 4 * Math.ceil(R / 4) }, (_, r) =>
      r < R ? b.data.subarray(r * O, (r + 1) * O) : nothing,
    );
    for (let i = 0; i < I; i++) {
      const row = weight.subarray(i * O, (i + 1) * O);
      const scales = a.data.subarray(i * R, (i + 1) * R);
      for (let r = 0; r < R; r += 4) {
        const [s0, s1 = 0, s2 = 0, s3 = 0] = [scales[r]!, scales[r + 1], scales[r + 2], scales[r + 3]];
        const [b0, b1, b2, b3] = [ranks[r]!, ranks[r + 1]!, ranks[r + 2]!, ranks[r + 3]!];
        for (let o = 0; o < O; o++) row[o]! += s0 * b0[o]! + s1 * b1[o]! + s2 * b2[o]! + s3 * b3[o]!;
      }
    }
  }
}

const tokens = { shape: ["B", "T"], dtype: "int32" } as const;

function encoderOf(
  compiled: Awaited<ReturnType<EncoderEngine<EngineParams>["compile"]>>,
  embeddings: EngineEmbeddings<EngineParams>,
  release: () => Promise<void>,
): Encoder {
  let disposed = false;
  return {
    width: embeddings.width,
    async run(batch, { signal } = {}) {
      if (disposed) throw new ClaraError("engine", "encoder.run: the encoder has been disposed; create another");
      check(batch, embeddings);
      const { ids, types, mask, shape } = batch;
      const inputs = { ids: { data: ids, shape }, types: { data: types, shape }, mask: { data: mask, shape } };
      const { states } = await compiled.run(inputs, { signal });
      return states!.data as Float32Array;
    },
    async dispose() {
      disposed = true;
      await release();
    },
  };
}

function check(
  { ids, types, mask, shape }: TokenBatch,
  { vocabulary, kinds, positions }: EngineEmbeddings<EngineParams>,
): void {
  const [B, T] = shape;
  if (!(B >= 1 && T >= 1) || [ids, types, mask].some((array) => array.length !== B * T)) {
    const got = `ids ${ids.length}, types ${types.length}, mask ${mask.length}`;
    throw new ClaraError("shape", `encoder.run: ids, types and mask must have ${B}*${T} numbers, got ${got}`);
  }
  if (T > positions) {
    throw new ClaraError("shape", `encoder.run: the model has ${positions} positions, got ${T} tokens; cut the text`);
  }
  const foreign = ids.find((id) => id < 0 || id >= vocabulary);
  if (foreign !== undefined) {
    throw new ClaraError(
      "input",
      `encoder.run: ids must be from 0 to ${vocabulary - 1}, got ${foreign}; is the tokenizer the model's?`,
    );
  }
  const unknown = types.find((type) => type < 0 || type >= kinds);
  if (unknown !== undefined) {
    throw new ClaraError("input", `encoder.run: types must be from 0 to ${kinds - 1}, got ${unknown}`);
  }
}
