import { tf } from "@clara/tensor";
import { selectTopK } from "@clara/topk";
import { type Computed, compute } from "./compute.ts";

/**
 * How far the softmax rows that `selectTopK` passes gradients by are from recorded ones, [B, k, N]. The function gives their
 * gradient, not the rows: compared are the derivatives of each row, diag(p) - p·pᵀ, which no other row has.
 *
 * @param scores [B, N]
 * @returns the largest difference of an entry; a row's own difference is about as large
 */
export async function softDifference(scores: Computed, soft: Computed, temperature: number): Promise<number> {
  const [B, k, N] = soft.shape as [number, number, number];
  // One copy of the scores for each entry of a row: copy (j, i) asks for the derivative of entry i of row j.
  const { grad } = await compute(() => {
    const copies: tf.Tensor3D = tf.tile(tf.tensor(scores.data, [B, 1, N]), [1, k * N, 1]);
    const asked = tf.tile(tf.reshape(tf.eye(k * N), [1, k * N, k, N]), [B, 1, 1, 1]);
    const loss = (all: tf.Tensor): tf.Scalar => {
      const { weights } = selectTopK(tf.reshape(all, [B * k * N, N]), k, { temperature });
      return tf.sum(tf.mul(weights, tf.reshape(asked, weights.shape)));
    };
    return { grad: tf.mul(tf.grad(loss)(copies), temperature) };
  });
  let most = 0;
  for (let row = 0; row < B * k; row++) {
    const p = Array.from(soft.data.slice(row * N, (row + 1) * N));
    for (let i = 0; i < N; i++) {
      for (let m = 0; m < N; m++) {
        const wanted = p[i]! * (Number(i === m) - p[m]!);
        const apart = Math.abs(grad.data[(row * N + i) * N + m]! - wanted);
        most = Math.max(most, Number.isNaN(apart) ? Number.POSITIVE_INFINITY : apart);
      }
    }
  }
  return most;
}
