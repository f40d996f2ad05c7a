import { ClaraError } from "@clara/core";
import { random } from "./random.ts";

function checkNumbers(where: string, values: readonly number[]): void {
  if (values.length === 0) throw new ClaraError("option", `${where}: needs at least 1 value, got 0`);
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) throw new ClaraError("option", `${where}: needs finite values, got ${values[at]} at index ${at}`);
}

/** @throws ClaraError "option" when there are no values or one is not finite. */
export function mean(values: readonly number[]): number {
  checkNumbers("mean", values);
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * The value that `p` percent of the values do not exceed, interpolated between neighbours (50 is the median).
 *
 * @param p 0 to 100
 * @throws ClaraError "option" when there are no values, one is not finite, or `p` is out of range.
 */
export function percentile(values: readonly number[], p: number): number {
  checkNumbers("percentile", values);
  if (!(p >= 0 && p <= 100)) throw new ClaraError("option", `percentile: p must be between 0 and 100, got ${p}`);
  return interpolated(Float64Array.from(values).sort(), p / 100);
}

function interpolated(sorted: Float64Array, part: number): number {
  const place = part * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below]!;
  const high = sorted[Math.ceil(place)]!;
  return low + (high - low) * (place - below);
}

export interface BootstrapOptions {
  /** Resamples. @default 1000 */
  readonly samples?: number;
  /** @default 1 */
  readonly seed?: number;
  /** Confidence level, between 0 and 1. @default 0.95 */
  readonly level?: number;
}

/**
 * Confidence interval of the mean: the percentile bootstrap. The same seed gives the same interval.
 *
 * @returns [low, high]
 * @throws ClaraError "option" when there are no values, one is not finite, or an option is out of range.
 * @see Efron & Tibshirani 1993, "An Introduction to the Bootstrap", ch. 13
 */
export function bootstrap(
  values: readonly number[],
  { samples = 1000, seed = 1, level = 0.95 }: BootstrapOptions = {},
): [number, number] {
  checkNumbers("bootstrap", values);
  if (!Number.isInteger(samples) || samples < 1) {
    throw new ClaraError("option", `bootstrap: samples must be a whole number from 1, got ${samples}`);
  }
  if (!(level > 0 && level < 1))
    throw new ClaraError("option", `bootstrap: level must be between 0 and 1, got ${level}`);
  const next = random(seed);
  const n = values.length;
  const means = new Float64Array(samples);
  for (let sample = 0; sample < samples; sample++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += values[Math.floor(next() * n)]!;
    means[sample] = sum / n;
  }
  means.sort();
  const tail = (1 - level) / 2;
  return [interpolated(means, tail), interpolated(means, 1 - tail)];
}
