import { ClaraError } from "@clara/core";
import { compressRows, type DecodeOptions, decode, decoderLogits, embedTokens, placeMemories } from "@clara/model";
import { crossEntropy, dims, noGrad, tf } from "@clara/tensor";
import { cosineScores, flattenMemories, type Selection, selectMemories, selectTopK } from "@clara/topk";
import { alignmentLoss } from "../losses/alignment-loss.ts";
import { retrievalLoss } from "../losses/retrieval-loss.ts";
import type { ClaraParams, ClaraShape, Role } from "./clara-params.ts";

// Letters: B examples, N documents of each, S columns of a document's row, Q of a question's, T of a prompt's, L labels.

/** Prompts with their answers, and the documents whose memories stand in them. All int32. */
export type GenerationInputs = {
  /** [B, N, S] rows that end in M memory tokens */
  documents: tf.Tensor3D;
  /** [B, N, S] 1 for tokens, 0 for padding */
  documentMask: tf.Tensor3D;
  /** [B, T] with a run of memory tokens for each document that is given to the generator */
  prompt: tf.Tensor2D;
  /** [B, T] */
  promptMask: tf.Tensor2D;
  /** [L] places in [B·T] after which a labelled token comes: see `labelledRows` */
  rows: tf.Tensor1D;
  /** [L] that token */
  targets: tf.Tensor1D;
};

/** Also the questions, as the query reasoner reads them. */
export type SelectionInputs = GenerationInputs & {
  /** [B, Q] rows that end in M memory tokens */
  question: tf.Tensor2D;
  /** [B, Q] */
  questionMask: tf.Tensor2D;
  /** [B, N] 1 for documents, 0 for rows that only fill up */
  candidates: tf.Tensor2D;
};

export interface StageLossOptions {
  /** Part of what the trained adapters read that is dropped, and the number of the draw, an int32 scalar. @default none */
  readonly dropout?: { readonly rate: number; readonly step: tf.Scalar } | undefined;
}

export interface GenerationLossOptions extends StageLossOptions {
  /** Weight of the alignment of memories with what they stand for. @default 0.1 */
  readonly alignmentWeight?: number;
}

export interface EndToEndLossOptions extends StageLossOptions {
  /** `k`: documents whose memories are given to the generator, as many as a prompt has runs of memory tokens. */
  readonly selected: number;
  /** Of the selection. @default 0.02 */
  readonly temperature?: number;
}

/**
 * The loss of the stages `compression` and `instruction`: -log p(answer | prompt with the memories of its documents), mean over
 * the answers' tokens in nats, plus the weighted alignment of memories. Reaches compressor, generator and memory rows.
 *
 * @returns scalars: the loss and its two parts
 * @throws ClaraError "shape" when the inputs disagree.
 * @see He et al. 2025, "CLaRa". https://arxiv.org/abs/2511.18659
 */
export function generationLoss(
  params: ClaraParams,
  inputs: GenerationInputs,
  shape: ClaraShape,
  { alignmentWeight = 0.1, dropout }: GenerationLossOptions = {},
): { loss: tf.Scalar; languageModel: tf.Scalar; alignment: tf.Scalar } {
  return tf.tidy(() => {
    const { memories, states, mask } = compressDocuments(params, inputs, shape, { dropout });
    const { B, N, M, D } = dims("generationLoss: memories", memories, ["B", "N", "M", "D"]);
    const languageModel = answerLoss(params, inputs, memories, shape, { dropout });
    const alignment = alignmentLoss(tf.reshape(memories, [B * N, M, D]), states, mask);
    const loss: tf.Scalar = tf.add(languageModel, tf.mul(alignment, alignmentWeight));
    return { loss, languageModel, alignment };
  });
}

/**
 * The loss of the stage `endToEnd`: the generator is given the k documents that the query reasoner ranks first, and the
 * loss of its answer teaches both: the generator by what it read, the query reasoner through the selection
 * (straight-through estimator). Documents are compressed without a gradient, so memories that are stored stay valid.
 *
 * @returns the loss, a scalar in nats, and the documents selected, [B, k] int32, best first
 * @throws ClaraError "shape" when the inputs disagree, "option" when k is more than N.
 * @see He et al. 2025, "CLaRa". https://arxiv.org/abs/2511.18659
 */
export function endToEndLoss(
  params: ClaraParams,
  inputs: SelectionInputs,
  shape: ClaraShape,
  { selected, temperature = 0.02, dropout }: EndToEndLossOptions,
): { loss: tf.Scalar; indices: tf.Tensor2D } {
  return tf.tidy(() => {
    const { scores, memories } = scoreDocuments(params, inputs, shape, { dropout });
    const { weights, indices }: Selection = selectTopK(scores, selected, { temperature, mask: inputs.candidates });
    const given = selectMemories(weights, memories); // [B, k, M, D]
    return { loss: answerLoss(params, inputs, given, shape, { dropout }), indices };
  });
}

/**
 * The loss of training the query reasoner for search alone, on documents that are known to answer: `retrievalLoss` of the
 * cosines between questions and memories.
 *
 * @param positives [B, N] 1 for documents that answer
 * @throws ClaraError "shape" when the inputs disagree.
 */
export function queryLoss(
  params: ClaraParams,
  inputs: Omit<SelectionInputs, "prompt" | "promptMask" | "rows" | "targets">,
  positives: tf.Tensor2D,
  shape: ClaraShape,
  options: StageLossOptions = {},
): tf.Scalar {
  return tf.tidy(() =>
    retrievalLoss(scoreDocuments(params, inputs, shape, options).scores, positives, { mask: inputs.candidates }),
  );
}

/** Cosine of each question with its documents, [B, N], and the documents' memories, [B, N, M, D]. */
export function scoreDocuments(
  params: ClaraParams,
  inputs: Omit<SelectionInputs, "prompt" | "promptMask" | "rows" | "targets">,
  shape: ClaraShape,
  { dropout }: StageLossOptions = {},
): { scores: tf.Tensor2D; memories: tf.Tensor4D } {
  return tf.tidy(() => {
    const memories = noGrad(() => compressDocuments(params, inputs, shape).memories); // [B, N, M, D]
    const query = compressQuestions(params, inputs, shape, { dropout }); // [B, M, D]
    return { scores: cosineScores(flattenMemories(query), flattenMemories(memories)), memories };
  });
}

/** Memories [B, M, D] of the questions, as the query reasoner reads them. @throws ClaraError "shape" when the inputs disagree. */
export function compressQuestions(
  params: ClaraParams,
  { question, questionMask }: Pick<SelectionInputs, "question" | "questionMask">,
  shape: ClaraShape,
  { dropout }: StageLossOptions = {},
): tf.Tensor3D {
  const options = { ...decodeOptions("query", params, shape, dropout), memoryTokens: shape.memoryTokens };
  return tf.tidy(() => compressRows(params.base, question, questionMask, options).memory);
}

/** Memories [B, N, M, D] of the documents, and states [B·N, S-M, D] with mask [B·N, S-M] of what they stand for. */
export function compressDocuments(
  params: ClaraParams,
  { documents, documentMask }: Pick<GenerationInputs, "documents" | "documentMask">,
  shape: ClaraShape,
  { dropout }: StageLossOptions = {},
): { memories: tf.Tensor4D; states: tf.Tensor3D; mask: tf.Tensor2D } {
  const { B, N, S } = dims("clara: documents", documents, ["B", "N", "S"]);
  dims("clara: documentMask", documentMask, [B, N, S]);
  const M = shape.memoryTokens;
  return tf.tidy(() => {
    const mask: tf.Tensor2D = tf.reshape(documentMask, [B * N, S]);
    const options = {
      ...decodeOptions("compressor", params, shape, dropout),
      memoryTokens: M,
      memoryRows: params.memoryRows,
    };
    const { memory, states } = compressRows(params.base, tf.reshape(documents, [B * N, S]), mask, options);
    const memories: tf.Tensor4D = tf.reshape(memory, [B, N, M, memory.shape[2]]);
    return { memories, states, mask: tf.slice(mask, [0, 0], [B * N, S - M]) };
  });
}

/**
 * The generator's part of both losses: mean cross-entropy of the labelled tokens in nats, given memories [B, k, M, D] in the
 * prompts, whoever made them.
 *
 * @throws ClaraError "shape" when the inputs disagree.
 */
export function answerLoss(
  params: ClaraParams,
  { prompt, promptMask, rows, targets }: Omit<GenerationInputs, "documents" | "documentMask">,
  memories: tf.Tensor4D,
  shape: ClaraShape,
  { dropout }: StageLossOptions = {},
): tf.Scalar {
  const { B, T } = dims("clara: prompt", prompt, ["B", "T"]);
  return tf.tidy(() => {
    const embeds = placeMemories(embedTokens(params.base, prompt), prompt, memories, shape); // [B, T, D]
    const options = decodeOptions("generator", params, shape, dropout);
    const states = decode(params.base, { embeds, mask: promptMask }, options);
    const read = tf.gather(tf.reshape(states, [B * T, states.shape[2]]) as tf.Tensor2D, rows); // [L, D]
    return crossEntropy(logitsOf(params, read, shape), targets);
  });
}

/** Logits [L, V]. Where the head is the table of words, the rows that are trained are in it, too, as classes. */
function logitsOf({ base, memoryRows }: ClaraParams, read: tf.Tensor2D, shape: ClaraShape): tf.Tensor2D {
  const logits = decoderLogits(base, read);
  if (!memoryRows || base.head) return logits;
  const [L, V] = logits.shape;
  const { firstMemoryId: first, memoryTokens: M } = shape;
  const own: tf.Tensor2D = tf.matMul(read, memoryRows, false, true); // [L, M]
  const behind = first + M;
  return tf.concat([tf.slice(logits, [0, 0], [L, first]), own, tf.slice(logits, [0, behind], [L, V - behind])], 1);
}

/** Seeds of the roles' dropout: far enough apart for every linear map of a decoder to have its own. */
const seeds: Readonly<Record<Role, number>> = { compressor: 0, generator: 1_000_000, query: 2_000_000 };

/** How the decoder runs in a role. @throws ClaraError "option" when it has no adapter for it. */
function decodeOptions(
  role: Role,
  { adapters }: ClaraParams,
  { decoder }: ClaraShape,
  dropout: StageLossOptions["dropout"],
): DecodeOptions {
  const adapter = adapters[role];
  if (!adapter) throw new ClaraError("option", `clara: there is no adapter for the role "${role}"`);
  return { ...decoder, adapter, ...(dropout && { dropout: { ...dropout, seed: seeds[role] } }) };
}
