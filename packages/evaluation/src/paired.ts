import { ClaraError } from "@clara/core";
import { random } from "./random.ts";
import { type BootstrapOptions, mean, percentile } from "./statistics.ts";

export interface PairedDifference {
  /** Mean of `values` minus mean of `baseline`. */
  readonly difference: number;
  /** Percentile interval of the difference. */
  readonly interval: [number, number];
  /**
   * How often resampling alone would be as far from no difference, two-sided: twice the smaller part of the resamples on one side
   * of 0, at most 1 and never 0.
   */
  readonly p: number;
}

/**
 * Compares two runs over the same questions: resamples questions, both runs' values together, so that what makes a question hard
 * does not count as a difference. The same seed gives the same result.
 *
 * @param values one for each question
 * @param baseline the other run's, in the same order
 * @throws ClaraError "option" when the lengths differ, there are no values, one is not finite, or an option is out of range.
 * @see Koehn 2004, "Statistical Significance Tests for Machine Translation Evaluation". https://aclanthology.org/W04-3250
 * @see Efron & Tibshirani 1993, "An Introduction to the Bootstrap", ch. 15 and 16
 */
export function pairedBootstrap(
  values: readonly number[],
  baseline: readonly number[],
  { samples = 1000, seed = 1, level = 0.95 }: BootstrapOptions = {},
): PairedDifference {
  const n = values.length;
  if (baseline.length !== n)
    throw new ClaraError("option", `pairedBootstrap: needs two lists of one length, got ${n} and ${baseline.length}`);
  if (!Number.isInteger(samples) || samples < 1)
    throw new ClaraError("option", `pairedBootstrap: samples must be a whole number from 1, got ${samples}`);
  if (!(level > 0 && level < 1))
    throw new ClaraError("option", `pairedBootstrap: level must be between 0 and 1, got ${level}`);
  const differences = values.map((value, i) => value - baseline[i]!);
  const difference = mean(differences);
  const next = random(seed);
  const means: number[] = [];
  let below = 0;
  let above = 0;
  for (let sample = 0; sample < samples; sample++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += differences[Math.floor(next() * n)]!;
    means.push(sum / n);
    if (sum <= 0) below++;
    if (sum >= 0) above++;
  }
  const tail = (1 - level) / 2;
  return {
    difference,
    interval: [percentile(means, 100 * tail), percentile(means, 100 * (1 - tail))],
    // Plus one: the data themselves are one of the samples, so that no number of samples makes a p of 0.
    p: Math.min(1, (2 * (Math.min(below, above) + 1)) / (samples + 1)),
  };
}
