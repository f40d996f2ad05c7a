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
  /** How far a passage's support, a window's cosine and the words of a sentence move the choice between answers, in logits of the reader. */
  readonly choice: { readonly support: number; readonly memory: number; readonly words: number };
}

export const calibration: Calibration = {
  support: { bias: -6.0343, best: 7.9455, mean: 2.3209, overlap: 6.2606 },
  confidence: { bias: -1.1013, margin: 0.2899, support: 0.1559 },
  memoryConfidence: { bias: -1.9694, margin: 0.1625, support: 0.1456 },
  choice: { support: 1.5, memory: 8, words: 2 },
};
