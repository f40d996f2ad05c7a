import { ClaraError } from "@clara/core";
import { dims } from "./dims.ts";
import { withGradient } from "./fused.ts";
import { tf } from "./tf.ts";

export interface CrossEntropyOptions {
  /** [N], any numeric type: 1 counts, 0 does not; other weights give a weighted mean. Everything counts by default. */
  readonly mask?: tf.Tensor1D | undefined;
}

/**
 * Mean over the unmasked rows of -log p(label), in nats, where p = softmax(logits). 0 when every row is masked.
 *
 * @param logits [N, V]
 * @param labels [N], int32, 0 to V - 1: in masked rows too
 * @returns []
 * @throws ClaraError "shape" when the tensors disagree, "option" when `labels` is not int32.
 */
export function crossEntropy(logits: tf.Tensor2D, labels: tf.Tensor1D, { mask }: CrossEntropyOptions = {}): tf.Scalar {
  const { N, V } = dims("crossEntropy: logits", logits, ["N", "V"]);
  dims("crossEntropy: labels", labels, [N]);
  if (labels.dtype !== "int32") {
    throw new ClaraError("option", `crossEntropy: labels must be int32, got ${labels.dtype}`);
  }
  if (mask) dims("crossEntropy: mask", mask, [N]);
  return tf.tidy(() =>
    withGradient(
      [logits],
      () => {
        const counts = mask ? tf.cast(mask, "float32") : tf.fill([N], 1);
        const weights: tf.Tensor = tf.div(counts, tf.maximum(tf.sum(counts), 1e-9)); // [N], sums to 1
        // Row n's entry labels[n]: no one-hot matrix here.
        const chosen = tf.reshape(tf.gather(logits, tf.reshape(labels, [N, 1]), 1, 1), [N]);
        const nats = tf.sub(tf.logSumExp(logits, 1), chosen); // [N]
        return { value: tf.sum(tf.mul(weights, nats)) as tf.Scalar, saved: [logits, labels, weights] };
      },
      (dy, [logits, labels, weights]) => {
        const share = tf.reshape(tf.mul(weights!, dy), [N, 1]);
        const hot = tf.oneHot(labels!, V, 1, 0, "float32"); // [N, V]
        return [tf.mul(tf.sub(tf.softmax(logits!), hot), share)]; // softmax, one-hot and two passes over [N, V]
      },
    ),
  );
}
