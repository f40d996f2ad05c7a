import { ClaraError } from "@clara/core";

/** Numbers with their shape, where they have one. */
export interface Numbers {
  readonly data: ArrayLike<number>;
  readonly shape?: readonly number[];
}

/** The largest absolute difference, and where it is. NaN is infinitely far from everything. */
export function difference(actual: Numbers, expected: Numbers): { error: number; at: string } {
  checkShapes(actual, expected);
  let [error, at] = [0, 0];
  for (let i = 0; i < expected.data.length; i++) {
    const apart = Math.abs(actual.data[i]! - expected.data[i]!);
    if (apart <= error) continue;
    [error, at] = [Number.isNaN(apart) ? Number.POSITIVE_INFINITY : apart, i];
    if (error === Number.POSITIVE_INFINITY) break;
  }
  const text = `at ${place(at, expected.shape)} expected ${expected.data[at]}, got ${actual.data[at]}`;
  return { error, at: expected.data.length === 0 ? "no numbers" : text };
}

/** The largest difference as a part of the largest expected number; where all are 0, ours must be 0. */
export function relativeDifference(actual: Numbers, expected: Numbers): number {
  const { error } = difference(actual, expected);
  return error === 0 ? 0 : error / largest(expected);
}

/** The largest absolute value. */
export function largest({ data }: Numbers): number {
  let most = 0;
  for (let i = 0; i < data.length; i++) most = Math.max(most, Math.abs(data[i]!));
  return most;
}

/** Euclidean, over all together. */
export function norm(arrays: readonly Numbers[]): number {
  let sum = 0;
  for (const { data } of arrays) for (let i = 0; i < data.length; i++) sum += data[i]! ** 2;
  return Math.sqrt(sum);
}

/** How many leaves of two JSON values differ, and the first of them in words. Fields that are undefined are not there. */
export function mismatches(actual: unknown, expected: unknown): { count: number; first: string } {
  let count = 0;
  let first = "";
  const note = (path: string, got: unknown, wanted: unknown): void => {
    first ||= `${path === "" ? "it" : path} should be ${shown(wanted)}, is ${shown(got)}`;
    count++;
  };
  const visit = (got: unknown, wanted: unknown, path: string): void => {
    if (Array.isArray(got) && Array.isArray(wanted)) {
      if (got.length !== wanted.length) note(`${path}.length`, got.length, wanted.length);
      for (let i = 0; i < Math.min(got.length, wanted.length); i++) visit(got[i], wanted[i], `${path}[${i}]`);
    } else if (isRecord(got) && isRecord(wanted)) {
      for (const key of new Set([...Object.keys(wanted), ...Object.keys(got)])) {
        visit(got[key], wanted[key], path === "" ? key : `${path}.${key}`);
      }
    } else if (!Object.is(got, wanted)) note(path, got, wanted);
  };
  visit(actual, expected, "");
  return { count, first };
}

function checkShapes(actual: Numbers, expected: Numbers): void {
  const both = actual.shape && expected.shape;
  if (actual.data.length === expected.data.length && (!both || `${actual.shape}` === `${expected.shape}`)) return;
  const size = ({ shape, data }: Numbers): string => `[${shape ?? data.length}]`;
  throw new ClaraError("shape", `expected ${size(expected)} numbers, got ${size(actual)}`);
}

function place(index: number, shape: readonly number[] | undefined): string {
  const at: number[] = [];
  let rest = index;
  for (const size of (shape ?? []).toReversed()) {
    at.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return `[${shape && shape.length > 0 ? at : index}]`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
