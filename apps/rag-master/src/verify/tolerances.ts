// How far a number of ours may lie from the recorded one. The values are those that the fixtures recommend (the table
// "Tolerances" of their README): ten to thirty times what float32 and float64 differ by there, and far below the effect of
// any mistake. Switching one adapter off changes a logit by 7.5.

/** Ids, masks, labels, texts, indices: how many differ. */
export const EXACT = 0;
/** F1 and means of measures. They are computed in float64 on both sides. */
export const MEASURE = 1e-9;
/** Memories, queries, hidden states, decoder inputs, absolute. float32 and float64 differ by 3.5e-6. */
export const STATES = 1e-4;
/** Logits, absolute: sums over the width of such states. float32 and float64 differ by 1.3e-5. */
export const LOGITS = 5e-4;
/** Logits of the decoders of other families, whose tables are smaller; absolute. */
export const DECODER_LOGITS = 1e-4;
/** Losses and sums of exponentials, absolute, in nats. */
export const LOSS = 1e-4;
/** Cosines, absolute. */
export const SCORES = 1e-5;
/** Weights of a selection, whose value is one or nothing, absolute. */
export const WEIGHTS = 1e-6;
/** Softmax rows in an end-to-end step, absolute: an error of the scores is divided by the temperature, 0.02. */
export const SOFT = 1e-3;
/** Softmax rows and gradients of the differentiable top-k alone, as a part of the largest entry. */
export const SELECTION = 1e-4;
/** Gradients and their norms, as a part of the largest entry of the tensor. float32 and float64 differ by 8.8e-6. */
export const GRADIENT = 1e-3;
/**
 * The change of parameters since the checkpoint, as a part of the learning rate. Parameters are ten thousand times larger than
 * their change: comparing them would test nothing. float32 and float64 differ by 0.9 %.
 */
export const CHANGE = 0.05;
/** Parameters after prescribed gradients, as a part of the learning rate: nothing but the optimizer is between the numbers. */
export const OPTIMIZER = 1e-3;
/** Learning rates, absolute. */
export const LEARNING_RATE = 1e-12;
/** Sum and largest value of a stored tensor, as a part of the sum of its absolute values: both sides add float64. */
export const STORED = 1e-9;

/**
 * Above it the reference's weak mask, log(1e-8), lets selected documents back in; ours is a true one, and gradients differ. They
 * are compared where the difference can be computed from what is recorded.
 */
export const WEAK_MASK_EFFECT = 1e-4;
/** Below it a softmax is a step: its rows and gradients are rounding. Indices are compared all the same. */
export const SMOOTH_TEMPERATURE = 1e-5;
