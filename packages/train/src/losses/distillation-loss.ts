import { ClaraError } from "@clara/core";
import { dims, stopGradient, tf } from "@clara/tensor";

/** Far below any logit, and finite. */
const closed = -1e9;

export interface DistillationLossOptions {
  /** What both sides' logits are divided by, above 0: a higher one shows more of what the teacher finds unlikely. @default 1 */
  readonly temperature?: number;
}

/**
 * Sum over rows of KL(teacher ‖ student), in nats, between softmaxes at a temperature, times the temperature's square: gradients
 * then stay as large as those of labels whatever the temperature. The teacher does not learn. A row without entries counts 0.
 *
 * @param student [B, T] logits
 * @param teacher [B, T] logits
 * @param open [B, T] 1 for entries that are there, 0 for others
 * @returns []
 * @throws ClaraError "shape" when B or T disagree, "option" for a temperature that is not above 0.
 * @see Hinton et al. 2015, "Distilling the Knowledge in a Neural Network", section 2. https://arxiv.org/abs/1503.02531
 */
export function distillationLoss(
  student: tf.Tensor2D,
  teacher: tf.Tensor2D,
  open: tf.Tensor2D,
  { temperature = 1 }: DistillationLossOptions = {},
): tf.Scalar {
  const { B, T } = dims("distillationLoss: student", student, ["B", "T"]);
  dims("distillationLoss: teacher", teacher, [B, T]);
  dims("distillationLoss: open", open, [B, T]);
  if (!(temperature > 0 && temperature < Number.POSITIVE_INFINITY)) {
    throw new ClaraError("option", `distillationLoss: temperature must be above 0 and finite, got ${temperature}`);
  }
  return tf.tidy(() => {
    const there: tf.Tensor = tf.cast(open, "float32"); // [B, T]
    const shut = tf.mul(tf.sub(1, there), closed); // [B, T]
    const logSoftmax = (logits: tf.Tensor2D): tf.Tensor => {
      const masked = tf.add(tf.div(logits, temperature), shut);
      return tf.sub(masked, tf.logSumExp(masked, 1, true)); // [B, T]
    };
    const wanted = logSoftmax(stopGradient(teacher));
    const share = tf.mul(tf.exp(wanted), there); // [B, T]
    const nats = tf.sum(tf.mul(share, tf.sub(wanted, logSoftmax(student))));
    return tf.mul(nats, temperature * temperature) as tf.Scalar;
  });
}
