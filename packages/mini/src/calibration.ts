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
  support: { bias: -6.1426, best: 8.0735, mean: 2.6137, overlap: 6.3981 },
  confidence: { bias: -1.171, margin: 0.2792, support: 0.1685 },
  memoryConfidence: { bias: -2.0311, margin: 0.1708, support: 0.1469 },
  supportWeight: 1.5,
};
