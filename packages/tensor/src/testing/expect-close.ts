import { tf } from "../tf.ts";

/** Numbers as a tensor, a typed array, or arrays nested like a tensor. */
export type Values =
  | tf.Tensor
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | number
  | readonly Values[];

export interface CloseOptions {
  /** Largest difference allowed near zero. @default 1e-6 */
  readonly absolute?: number;
  /** Further difference allowed, as a part of the expected value. @default 1e-5 */
  readonly relative?: number;
}

/**
 * Compares number by number: `|actual - expected| ≤ absolute + relative · |expected|`.
 *
 * Shapes must agree where both have one; a flat list has none, so it compares with a tensor of any shape.
 * NaN and infinities are never close to anything, not even to themselves.
 *
 * @throws Error that names the index of the first difference, both values, and how many differ.
 */
export function expectClose(
  actual: Values,
  expected: Values,
  { absolute = 1e-6, relative = 1e-5 }: CloseOptions = {},
): void {
  const got = flatten("actual", actual);
  const want = flatten("expected", expected);
  const bothShaped = got.shape && want.shape;
  if (got.values.length !== want.values.length || (bothShaped && `${got.shape}` !== `${want.shape}`)) {
    throw new Error(`expectClose: expected ${describe(want)}, got ${describe(got)}`);
  }
  const wrong: number[] = [];
  for (const [i, value] of want.values.entries()) {
    const difference = Math.abs(got.values[i]! - value);
    // Infinite values would make the allowance infinite, and NaN compares false: both must land in `wrong`.
    const allowed = Number.isFinite(value) ? absolute + relative * Math.abs(value) : Number.NaN;
    if (!(difference <= allowed)) wrong.push(i);
  }
  const first = wrong[0];
  if (first === undefined) return;
  const at = position(first, got.shape ?? want.shape);
  throw new Error(
    `expectClose: at [${at}] expected ${want.values[first]}, got ${got.values[first]} ` +
      `(${wrong.length} of ${want.values.length} values differ by more than ${absolute} + ${relative}·|expected|)`,
  );
}

type Flat = { values: readonly number[]; shape?: readonly number[] };

function flatten(name: string, value: Values): Flat {
  if (value instanceof tf.Tensor) return { values: Array.from(value.dataSync()), shape: value.shape };
  if (typeof value === "number") return { values: [value], shape: [] };
  if (!Array.isArray(value)) return { values: Array.from(value as ArrayLike<number>) };
  if (value.every((part) => typeof part === "number")) return { values: value as number[] };
  // A list of lists, or of tensors: one shape for all parts, so that a ragged mistake does not pass as a flat list.
  const parts = value.map((part) => flatten(name, part));
  const inner = parts.map((part) => part.shape ?? [part.values.length]);
  if (inner.some((shape) => `${shape}` !== `${inner[0]}`)) {
    throw new Error(`expectClose: ${name} is ragged, its parts have shapes ${inner.map((s) => `[${s}]`).join(" ")}`);
  }
  return { values: parts.flatMap((part) => part.values), shape: [parts.length, ...inner[0]!] };
}

function describe({ values, shape }: Flat): string {
  return shape ? `shape [${shape.join(", ")}]` : `${values.length} values`;
}

/** `5` in [2, 3] is `1, 2`. */
export function position(index: number, shape: readonly number[] | undefined): string {
  if (!shape) return String(index);
  const at: number[] = [];
  for (const size of shape.toReversed()) {
    at.unshift(index % size);
    index = Math.floor(index / size);
  }
  return at.join(", ");
}
