import { ClaraError } from "@clara/core";
import { dims, noGrad, tf } from "@clara/tensor";
import { type DecodeOptions, decode, embedTokens } from "./decoder.ts";
import type { DecoderParams } from "./decoder-params.ts";

export interface CompressOptions extends DecodeOptions {
  /** `M`: how many of the last columns are memory tokens. */
  readonly memoryTokens: number;
  /**
   * [M, D] Embeddings of the memory tokens, instead of the table's: the part of the table that is trained.
   * @default those of the table
   */
  readonly memoryRows?: tf.Tensor2D | undefined;
}

export type Compressed = {
  /** [N, M, D] the memory of each text: final states of its memory tokens. */
  memory: tf.Tensor3D;
  /** [N, S, D] final states of the columns before, padding included. */
  states: tf.Tensor3D;
};

/**
 * Compresses texts: rows end in M memory tokens, which have read all of the text, and whose final states are its memory.
 *
 * @param ids [N, S+M] int32: padding, `<ENC><s>text</s>`, memory tokens
 * @param mask [N, S+M] 1 for tokens, 0 for padding
 * @throws ClaraError "shape" when the shapes differ or a row has no more than M columns, and what `decode` throws.
 * @see He et al. 2025, "CLaRa". https://arxiv.org/abs/2511.18659
 */
export function compressRows(
  params: DecoderParams,
  ids: tf.Tensor2D,
  mask: tf.Tensor2D,
  { memoryTokens: M, memoryRows, ...options }: CompressOptions,
): Compressed {
  const { N, L } = dims("compressRows: ids", ids, ["N", "L"]);
  dims("compressRows: mask", mask, [N, L]);
  const D = params.words.shape[1];
  const S = L - M;
  if (!Number.isInteger(M) || M < 1 || S < 1) {
    throw new ClaraError("shape", `compressRows: rows of ${L} columns cannot end in ${M} memory tokens after a text`);
  }
  if (memoryRows) dims("compressRows: memoryRows", memoryRows, [M, D]);
  return tf.tidy(() => {
    const embed = (): tf.Tensor3D => {
      if (!memoryRows) return embedTokens(params, ids);
      const text = embedTokens(params, tf.slice(ids, [0, 0], [N, S])); // [N, S, D]
      // Added to zeros, as TensorFlow.js cannot differentiate a tile whose count is open.
      const memory = tf.add(tf.zeros([N, M, D]), tf.reshape(memoryRows, [1, M, D])); // [N, M, D]
      return tf.concat([text, memory as tf.Tensor3D], 1);
    };
    const all = decode(params, { embeds: embed(), mask }, options); // [N, S+M, D]
    return { memory: tf.slice(all, [0, S, 0], [N, M, D]), states: tf.slice(all, [0, 0, 0], [N, S, D]) };
  });
}

export interface PlaceMemoriesOptions {
  /** Id of the first of the M memory tokens, which have consecutive ids. */
  readonly firstMemoryId: number;
}

/**
 * Puts memories in the place of the memory tokens of prompts: the token of place m in the j-th run of memory tokens gets
 * vector m of memory j. In a prompt of whole runs with one separator each, as the reference writes them, memory j
 * lies M+1 columns after memory j - 1.
 *
 * @param embeds [B, T, D] of the prompts
 * @param ids [B, T] int32, the prompts. A run begins with the first memory token; those of runs after the k-th are clamped
 *   to the k-th memory: check prompts where they are made.
 * @param memories [B, k, M, D]
 * @returns [B, T, D]
 * @throws ClaraError "shape" when the tensors disagree.
 */
export function placeMemories(
  embeds: tf.Tensor3D,
  ids: tf.Tensor2D,
  memories: tf.Tensor4D,
  { firstMemoryId }: PlaceMemoriesOptions,
): tf.Tensor3D {
  const { B, T, D } = dims("placeMemories: embeds", embeds, ["B", "T", "D"]);
  dims("placeMemories: ids", ids, [B, T]);
  const { k, M } = dims("placeMemories: memories", memories, [B, "k", "M", D]);
  return tf.tidy(() => {
    const { kept, source } = noGrad(() => {
      const place = tf.sub(ids, firstMemoryId); // [B, T], 0 to M - 1 at memory tokens
      const inside = tf.logicalAnd(tf.greaterEqual(place, 0), tf.less(place, M));
      const run = tf.sub(tf.cumsum(tf.cast(tf.equal(place, 0), "int32"), 1), 1); // [B, T], of the run begun last
      const document = tf.clipByValue(run, 0, k - 1);
      const row = tf.mul(tf.reshape(tf.range(0, B, 1, "int32"), [B, 1]), k); // [B, 1]
      const within = tf.clipByValue(place, 0, M - 1);
      const source = tf.add(tf.mul(tf.add(row, document), M), within); // [B, T], in [B·k·M, D]
      return { kept: tf.reshape(tf.cast(inside, "float32"), [B, T, 1]), source };
    });
    const vectors = tf.gather(tf.reshape(memories, [B * k * M, D]), tf.cast(source, "int32")); // [B, T, D]
    return tf.add(tf.mul(embeds, tf.sub(1, kept)), tf.mul(vectors, kept));
  });
}
