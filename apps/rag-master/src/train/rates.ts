import type { LogEntry } from "./training-log.ts";

export interface Rates {
  readonly secondsPerStep: number;
  readonly examplesPerSecond: number;
  readonly tokensPerSecond: number;
}

/** Means over the last steps; the first of a run, which compiles, is left out where there are others. */
export function recentRates(entries: readonly LogEntry[], count = 50): Rates {
  const recent = entries.slice(Math.max(entries.length > 1 ? 1 : 0, entries.length - count));
  const seconds = Math.max(1e-6, sum(recent, "seconds"));
  return {
    secondsPerStep: seconds / Math.max(1, recent.length),
    examplesPerSecond: sum(recent, "examples") / seconds,
    tokensPerSecond: sum(recent, "tokens") / seconds,
  };
}

export function sum(entries: readonly LogEntry[], field: "seconds" | "examples" | "tokens"): number {
  return entries.reduce((total, entry) => total + entry[field], 0);
}

/** The losses' moving mean, each new one with a weight of `share`, and honest from the first on. */
export function smooth(losses: readonly number[], share: number): number[] {
  let [mean, weight] = [0, 0];
  return losses.map((loss) => {
    mean += share * (loss - mean);
    weight += share * (1 - weight);
    return mean / weight;
  });
}

/** `3 h 20 min`, `12 min`, `40 s`. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** What the progress line says of the last step. */
export function progressDetail(entries: readonly LogEntry[], steps: number): string {
  const { step, learningRate } = entries.at(-1)!;
  const { secondsPerStep, examplesPerSecond, tokensPerSecond } = recentRates(entries);
  const losses = entries.slice(-200).map(({ loss }) => loss);
  const loss = smooth(losses, 0.05).at(-1)!;
  const left = duration((steps - step) * secondsPerStep);
  return `loss ${loss.toFixed(3)}, rate ${learningRate.toExponential(1)}, ${perSecond(examplesPerSecond)} examples/s, ${perSecond(tokensPerSecond)} tokens/s, ${left} left`;
}

export function perSecond(value: number): string {
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
}
