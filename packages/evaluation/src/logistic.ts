import { ClaraError } from "@clara/core";

/** 1 / (1 + exp(-x)), without overflow. */
export function logistic(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}

export interface LogisticModel {
  /** [F] */
  readonly weights: number[];
  readonly bias: number;
}

export interface FitLogisticOptions {
  /** Penalty l2/2 · |weights|² on the summed loss; the bias is free. Above 0 it keeps separable data finite. @default 1 */
  readonly l2?: number;
  /** Newton steps at most; it stops earlier when nothing improves. @default 50 */
  readonly iterations?: number;
}

/**
 * Logistic regression by Newton's method: `logistic(weights · x + bias)` estimates how probable a true label is.
 * Deterministic. Features of very different sizes should be scaled first, or the penalty hits them unequally.
 *
 * @param features [N, F]
 * @param labels [N], both values must occur
 * @throws ClaraError "option" for ragged or non-finite features, labels of one kind, or an option out of range.
 */
export function fitLogistic(
  features: readonly (readonly number[])[],
  labels: readonly boolean[],
  { l2 = 1, iterations = 50 }: FitLogisticOptions = {},
): LogisticModel {
  const F = checked(features, labels, l2, iterations);
  // The bias is the last weight, of a feature that is always 1.
  const rows = features.map((row) => [...row, 1]);
  let weights = new Array<number>(F + 1).fill(0);
  let loss = penalisedLoss(rows, labels, weights, l2);
  for (let step = 0; step < iterations; step++) {
    const { gradient, hessian } = derivatives(rows, labels, weights, l2);
    const direction = solve(hessian, gradient);
    let size = 1;
    let better: number[] | undefined;
    // A full Newton step can overshoot where the curve is flat: halve it until the loss falls.
    for (let halving = 0; halving < 30 && !better; halving++, size /= 2) {
      const tried = weights.map((weight, j) => weight - size * direction[j]!);
      const triedLoss = penalisedLoss(rows, labels, tried, l2);
      if (triedLoss < loss) {
        better = tried;
        loss = triedLoss;
      }
    }
    if (!better) break;
    weights = better;
  }
  return { weights: weights.slice(0, F), bias: weights[F]! };
}

function checked(
  features: readonly (readonly number[])[],
  labels: readonly boolean[],
  l2: number,
  iterations: number,
): number {
  const fail = (text: string): never => {
    throw new ClaraError("option", `fitLogistic: ${text}`);
  };
  if (features.length !== labels.length)
    fail(`needs one label per row, got ${features.length} rows and ${labels.length} labels`);
  if (!labels.includes(true) || !labels.includes(false)) {
    fail(`needs true and false labels, got ${labels.length} that are all ${labels[0] ?? "missing"}`);
  }
  if (!(l2 >= 0 && Number.isFinite(l2))) fail(`l2 must be 0 or more, got ${l2}`);
  if (!Number.isInteger(iterations) || iterations < 1)
    fail(`iterations must be a whole number from 1, got ${iterations}`);
  const F = features[0]!.length;
  for (const [i, row] of features.entries()) {
    if (row.length !== F) fail(`needs ${F} features in every row, as in row 0, got ${row.length} in row ${i}`);
    const bad = row.find((value) => !Number.isFinite(value));
    if (bad !== undefined) fail(`needs finite features, got ${bad} in row ${i}`);
  }
  return F;
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function penalisedLoss(rows: number[][], labels: readonly boolean[], weights: number[], l2: number): number {
  let sum = 0;
  for (const [i, row] of rows.entries()) {
    const x = labels[i] ? dot(row, weights) : -dot(row, weights);
    // -log(logistic(x)), without overflow for large negative x.
    sum += Math.max(0, -x) + Math.log1p(Math.exp(-Math.abs(x)));
  }
  const free = weights.slice(0, -1);
  return sum + (l2 / 2) * dot(free, free);
}

function derivatives(
  rows: number[][],
  labels: readonly boolean[],
  weights: number[],
  l2: number,
): { gradient: number[]; hessian: number[][] } {
  const W = weights.length;
  const gradient = weights.map((weight, j) => (j < W - 1 ? l2 * weight : 0));
  const hessian = weights.map((_, j) => weights.map((_, k) => (j === k && j < W - 1 ? l2 : 0)));
  for (const [i, row] of rows.entries()) {
    const p = logistic(dot(row, weights));
    const error = p - (labels[i] ? 1 : 0);
    const curve = p * (1 - p);
    for (let j = 0; j < W; j++) {
      gradient[j]! += error * row[j]!;
      for (let k = 0; k < W; k++) hessian[j]![k]! += curve * row[j]! * row[k]!;
    }
  }
  // A trace of ridge keeps the matrix solvable when l2 is 0 and a feature is constant or the data are separable.
  for (let j = 0; j < W; j++) hessian[j]![j]! += 1e-9 * (1 + hessian[j]![j]!);
  return { gradient, hessian };
}

/** Solves matrix · x = vector by Gaussian elimination with row exchange. */
function solve(matrix: number[][], vector: number[]): number[] {
  const n = vector.length;
  const rows = matrix.map((row, i) => [...row, vector[i]!]);
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let i = column + 1; i < n; i++) {
      if (Math.abs(rows[i]![column]!) > Math.abs(rows[pivot]![column]!)) pivot = i;
    }
    [rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!];
    for (let i = column + 1; i < n; i++) {
      const factor = rows[i]![column]! / rows[column]![column]!;
      for (let j = column; j <= n; j++) rows[i]![j]! -= factor * rows[column]![j]!;
    }
  }
  const x = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; i--) {
    let rest = rows[i]![n]!;
    for (let j = i + 1; j < n; j++) rest -= rows[i]![j]! * x[j]!;
    x[i] = rest / rows[i]![i]!;
  }
  return x;
}
