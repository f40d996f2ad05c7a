/**
 * A logistic fit from what the reader and the reranker saw to how probable it is that the answer is right.
 * The numbers belong to a model: they come with its weights, fitted on questions that no figure is reported on.
 */
export interface ConfidenceFit {
  readonly bias: number;
  /** Per logit of span minus no-answer score. */
  readonly margin: number;
  /** Per unit of log-odds of the evidence's score. */
  readonly support: number;
}

/** Log-odds of a probability, kept finite: 0 and 1 count as 0.001 and 0.999. */
export function logit(probability: number): number {
  const p = Math.min(0.999, Math.max(0.001, probability));
  return Math.log(p / (1 - p));
}

/** @returns 0–1 */
export function confidenceOf({ margin, support }: { margin: number; support: number }, fit: ConfidenceFit): number {
  return 1 / (1 + Math.exp(-(fit.bias + fit.margin * margin + fit.support * logit(support))));
}
