import { dims, noGrad, tf } from "@clara/tensor";
import { unit } from "./unit.ts";

export interface MaxSimOptions {
  /** [N, M], 1 for a memory token, 0 for padding; any numeric type. Nothing is padding by default. */
  readonly mask?: tf.Tensor2D | undefined;
}

/**
 * Late interaction: each query vector finds its best memory token by cosine, and these add up.
 *
 * Unlike `cosineScores` it does not care where in a document a memory token stands, or how many there are. With Q = 1 it
 * is the best cosine. A document without any memory token scores -Q, the least there is; a zero vector has cosine 0.
 * The gradient reaches only the best memory token for each query vector (all of them when they are exactly equal).
 *
 * @param query [Q, D]
 * @param memories [N, M, D], padded to the longest
 * @returns [N], -Q to Q
 * @throws ClaraError "shape" when D disagrees or the mask has another shape.
 * @see Khattab and Zaharia 2020, "ColBERT", section 3.3. https://arxiv.org/abs/2004.12832
 */
export function maxSim(query: tf.Tensor2D, memories: tf.Tensor3D, { mask }: MaxSimOptions = {}): tf.Tensor1D {
  const { Q, D } = dims("maxSim: query", query, ["Q", "D"]);
  const { N, M } = dims("maxSim: memories", memories, ["N", "M", D]);
  if (mask) dims("maxSim: mask", mask, [N, M]);
  return tf.tidy(() => {
    // One flat product: TensorFlow.js cannot differentiate a matMul that repeats the query for each document.
    const tokens: tf.Tensor2D = tf.reshape(unit(memories), [N * M, D]);
    let cosines: tf.Tensor = tf.reshape(tf.matMul(tokens, unit(query), false, true), [N, M, Q]);
    if (mask) {
      const present = noGrad(() => tf.greater(tf.reshape(mask, [N, M, 1]), 0));
      cosines = tf.where(present, cosines, -1); // no cosine is less, so padding wins only where there is nothing else
    }
    return tf.sum(tf.max(cosines, 1), 1); // [N]
  });
}
