/**
 * Logistic fits on questions that no reported figure uses. Written by apps/rag-master/scripts/calibrate.ts;
 * what was fitted on what, and the curves: docs/calibration.md.
 */
export interface Calibration {
  /** Whether a passage supports an answer, from cosines of its memory and word overlap with the question. */
  readonly support: { readonly bias: number; readonly best: number; readonly mean: number; readonly overlap: number };
  /** Whether an answer is right, from the reader's margin and the log-odds of the support. */
  readonly confidence: { readonly bias: number; readonly margin: number; readonly support: number };
  /** The same of answers from memories alone. */
  readonly memoryConfidence?: { readonly bias: number; readonly margin: number; readonly support: number };
  /** How far the log-odds of the support move the choice between answers, in logits of the reader. */
  readonly supportWeight: number;
}

export const calibration: Calibration = {
  support: { bias: -6.0343, best: 7.9455, mean: 2.3209, overlap: 6.2606 },
  confidence: { bias: -1.0989, margin: 0.2907, support: 0.1461 },
  memoryConfidence: { bias: -2.0445, margin: 0.1792, support: 0.125 },
  supportWeight: 1.5,
};
