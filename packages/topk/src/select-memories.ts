import { dims, tf } from "@clara/tensor";

/**
 * The memories of the selected documents, in rank order. A slot without a document gets a memory of zeros.
 *
 * @param weights [B, k, N], from `selectTopK`
 * @param memories [B, N, M, D]
 * @returns [B, k, M, D]
 * @throws ClaraError "shape" when B or N disagree.
 */
export function selectMemories(weights: tf.Tensor3D, memories: tf.Tensor4D): tf.Tensor4D {
  const { B, k, N } = dims("selectMemories: weights", weights, ["B", "k", "N"]);
  const { M, D } = dims("selectMemories: memories", memories, [B, N, "M", "D"]);
  return tf.tidy(() => {
    const selected = tf.matMul(weights, tf.reshape(memories, [B, N, M * D]) as tf.Tensor3D); // [B, k, M*D]
    return tf.reshape(selected, [B, k, M, D]);
  });
}
