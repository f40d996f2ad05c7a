import { ClaraError } from "@clara/core";

function checkLengths(where: string, first: readonly unknown[], second: readonly unknown[]): void {
  if (first.length !== second.length) {
    throw new ClaraError("option", `${where}: needs two lists of one length, got ${first.length} and ${second.length}`);
  }
}

/**
 * Area under the ROC curve: how probable it is that a true example scores above a false one; equal scores count half.
 *
 * @returns 0 to 1, or null when the labels are all true or all false
 * @throws ClaraError "option" when the lengths differ or a score is not a number.
 */
export function auroc(scores: readonly number[], labels: readonly boolean[]): number | null {
  checkLengths("auroc", scores, labels);
  const at = scores.findIndex((score) => Number.isNaN(score));
  if (at >= 0) throw new ClaraError("option", `auroc: needs numbers as scores, got NaN at index ${at}`);
  const order = scores
    .map((_, i) => i)
    .sort((a, b) => (scores[a]! < scores[b]! ? -1 : scores[a]! > scores[b]! ? 1 : 0));
  let positives = 0;
  let rankSum = 0;
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && scores[order[end]!] === scores[order[start]!]) end++;
    // Equal scores share the mean of the ranks start + 1 … end.
    const rank = (start + 1 + end) / 2;
    for (const i of order.slice(start, end)) {
      if (!labels[i]) continue;
      positives++;
      rankSum += rank;
    }
    start = end;
  }
  const negatives = labels.length - positives;
  if (positives === 0 || negatives === 0) return null;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

export interface PrecisionRecall {
  /** Right among the predicted; null when nothing was predicted. */
  readonly precision: number | null;
  /** Found among the actual; null when there was nothing to find. */
  readonly recall: number | null;
}

/** @throws ClaraError "option" when the lengths differ. */
export function precisionRecall(predicted: readonly boolean[], actual: readonly boolean[]): PrecisionRecall {
  checkLengths("precisionRecall", predicted, actual);
  const both = predicted.filter((yes, i) => yes && actual[i]).length;
  const said = predicted.filter(Boolean).length;
  const wanted = actual.filter(Boolean).length;
  return { precision: said === 0 ? null : both / said, recall: wanted === 0 ? null : both / wanted };
}
