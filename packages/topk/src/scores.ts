import { dims, tf } from "@clara/tensor";
import { unit } from "./unit.ts";

/**
 * Puts the memory tokens of each memory side by side, in order, as one vector of F = M·D numbers.
 *
 * @param memories [B, M, D], or [B, N, M, D] for N documents each
 * @returns [B, M·D], or [B, N, M·D]
 * @throws ClaraError "shape" for any other rank.
 */
export function flattenMemories(memories: tf.Tensor3D): tf.Tensor2D;
export function flattenMemories(memories: tf.Tensor4D): tf.Tensor3D;
export function flattenMemories(memories: tf.Tensor3D | tf.Tensor4D): tf.Tensor2D | tf.Tensor3D {
  if (memories.rank === 4) {
    const { B, N, M, D } = dims("flattenMemories: memories", memories, ["B", "N", "M", "D"]);
    return tf.tidy((): tf.Tensor3D => tf.reshape(memories, [B, N, M * D]));
  }
  const { B, M, D } = dims("flattenMemories: memories", memories, ["B", "M", "D"]);
  return tf.tidy((): tf.Tensor2D => tf.reshape(memories, [B, M * D]));
}

/**
 * Cosine of each query with each of its documents, -1 to 1, in float32 throughout. A zero vector scores 0.
 *
 * For queries and documents of M memory tokens, `flattenMemories` both: slot is then compared with slot.
 *
 * @param query [B, F]
 * @param documents [B, N, F]
 * @returns [B, N]
 * @throws ClaraError "shape" when B or F disagree.
 * @see He et al. 2025, "CLaRa". https://arxiv.org/abs/2511.18659
 */
export function cosineScores(query: tf.Tensor2D, documents: tf.Tensor3D): tf.Tensor2D {
  const { B, F } = dims("cosineScores: query", query, ["B", "F"]);
  const { N } = dims("cosineScores: documents", documents, [B, "N", F]);
  return tf.tidy(() => {
    const column: tf.Tensor3D = tf.reshape(unit(query), [B, F, 1]);
    return tf.reshape(tf.matMul(unit(documents), column), [B, N]);
  });
}
