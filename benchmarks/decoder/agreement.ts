import { closeSync, openSync, readSync } from "node:fs";

/** How two models' distributions of the next word differ, over all positions. */
export interface Agreement {
  readonly positions: number;
  /** Share of positions at which both have the same most probable word. */
  readonly top1: number;
  /** The same where the first model gives its own a probability of at least 0.5, and the share of such positions. */
  readonly top1WhenSure: number | null;
  readonly sure: number;
  /** Mean of KL(first ‖ second), nats. */
  readonly meanKl: number;
  /** Root of the mean squared difference of logits, each row's mean taken off, through the first's own deviation. */
  readonly logitError: number;
}

/** Of the first model alone: how peaked its distributions are. */
export interface Peakedness {
  readonly meanEntropy: number;
  readonly meanTopProbability: number;
  /** Different most probable words. */
  readonly words: number;
}

/** Compares two files of float32 logits [positions, words], row by row. */
export function compareLogits(
  first: string,
  second: string,
  words: number,
): { readonly agreement: Agreement; readonly first: Peakedness } {
  const rows = [rowsOf(first, words), rowsOf(second, words)] as const;
  let positions = 0;
  const sums = { top1: 0, sure: 0, sureSame: 0, kl: 0, difference: 0, own: 0, entropy: 0, top: 0 };
  const chosen = new Set<number>();
  try {
    for (let a = rows[0].next(); a; a = rows[0].next()) {
      const b = rows[1].next();
      if (!b) break;
      const [p, q] = [distribution(a), distribution(b)];
      const same = p.best === q.best ? 1 : 0;
      const sure = p.top >= 0.5 ? 1 : 0;
      chosen.add(p.best);
      positions++;
      sums.top1 += same;
      sums.sure += sure;
      sums.sureSame += sure * same;
      sums.top += p.top;
      let [kl, entropy, difference, own] = [0, 0, 0, 0];
      for (let i = 0; i < words; i++) {
        const [logP, logQ] = [a[i]! - p.logSum, b[i]! - q.logSum];
        const probability = Math.exp(logP);
        kl += probability * (logP - logQ);
        entropy -= probability * logP;
        difference += (a[i]! - p.mean - (b[i]! - q.mean)) ** 2;
        own += (a[i]! - p.mean) ** 2;
      }
      sums.kl += kl;
      sums.entropy += entropy;
      sums.difference += difference;
      sums.own += own;
    }
  } finally {
    for (const { close } of rows) close();
  }
  return {
    agreement: {
      positions,
      top1: sums.top1 / positions,
      top1WhenSure: sums.sure > 0 ? sums.sureSame / sums.sure : null,
      sure: sums.sure / positions,
      meanKl: sums.kl / positions,
      logitError: Math.sqrt(sums.difference / sums.own),
    },
    first: {
      meanEntropy: sums.entropy / positions,
      meanTopProbability: sums.top / positions,
      words: chosen.size,
    },
  };
}

/** Where two greedy answers first differ; their length when they do not. */
export function firstDifference(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((id, i) => id !== b[i]);
  return at < 0 ? a.length : at;
}

function rowsOf(path: string, words: number): { next(): Float32Array | undefined; close(): void } {
  const file = openSync(path, "r");
  const row = new Float32Array(words);
  const bytes = new Uint8Array(row.buffer);
  return { next: () => (readSync(file, bytes) === bytes.length ? row : undefined), close: () => closeSync(file) };
}

function distribution(logits: Float32Array): { best: number; top: number; logSum: number; mean: number } {
  let best = 0;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) {
    sum += logits[i]!;
    if (logits[i]! > logits[best]!) best = i;
  }
  let exp = 0;
  for (const logit of logits) exp += Math.exp(logit - logits[best]!);
  return { best, top: 1 / exp, logSum: logits[best]! + Math.log(exp), mean: sum / logits.length };
}
