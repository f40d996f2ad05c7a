import { ClaraError } from "@clara/core";

export interface ReliabilityBin {
  /** Confidences from `low` (inclusive) to `high` (exclusive, but 1 is in the last bin). */
  readonly low: number;
  readonly high: number;
  readonly n: number;
  /** Mean confidence in the bin. */
  readonly confidence: number;
  /** Part that was correct. */
  readonly accuracy: number;
}

/**
 * The reliability curve: bins of equal width from 0 to 1; empty bins are left out.
 *
 * @throws ClaraError "option" when the lengths differ, a confidence is not between 0 and 1, or `bins` is not a whole number from 1.
 */
export function reliability(
  confidences: readonly number[],
  correct: readonly boolean[],
  bins: number = 10,
): ReliabilityBin[] {
  if (confidences.length !== correct.length) {
    throw new ClaraError(
      "option",
      `reliability: needs two lists of one length, got ${confidences.length} and ${correct.length}`,
    );
  }
  if (!Number.isInteger(bins) || bins < 1) {
    throw new ClaraError("option", `reliability: bins must be a whole number from 1, got ${bins}`);
  }
  const sums = Array.from({ length: bins }, () => ({ n: 0, confidence: 0, right: 0 }));
  for (const [i, confidence] of confidences.entries()) {
    if (!(confidence >= 0 && confidence <= 1)) {
      throw new ClaraError("option", `reliability: needs confidences between 0 and 1, got ${confidence} at index ${i}`);
    }
    const bin = sums[Math.min(bins - 1, Math.floor(confidence * bins))]!;
    bin.n++;
    bin.confidence += confidence;
    if (correct[i]) bin.right++;
  }
  return sums.flatMap(({ n, confidence, right }, at) =>
    n === 0 ? [] : [{ low: at / bins, high: (at + 1) / bins, n, confidence: confidence / n, accuracy: right / n }],
  );
}

/**
 * Mean distance between confidence and accuracy over the bins, weighted by their sizes; 0 is perfect, and no values are 0.
 *
 * @see Guo et al. 2017, "On Calibration of Modern Neural Networks", eq. 3. https://arxiv.org/abs/1706.04599
 */
export function expectedCalibrationError(
  confidences: readonly number[],
  correct: readonly boolean[],
  bins: number = 10,
): number {
  const curve = reliability(confidences, correct, bins);
  const distance = curve.reduce((sum, bin) => sum + bin.n * Math.abs(bin.confidence - bin.accuracy), 0);
  return confidences.length === 0 ? 0 : distance / confidences.length;
}
