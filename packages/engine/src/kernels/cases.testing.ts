import { expect, it } from "vitest";
import {
  type Argument,
  bools,
  type CheckOptions,
  check,
  type Fn,
  floats,
  ints,
  type Shape,
  withGradients,
} from "./check.testing.ts";
import type { Kernel } from "./kernel.ts";

/** One call of a kernel's operation. */
export interface Case extends CheckOptions {
  readonly fn: Fn;
  readonly args: readonly Argument[];
  readonly title?: string;
}

export type Cases = Readonly<Record<string, readonly Case[]>>;

/** Tests kernels one by one against TensorFlow.js, and that each has a test. */
export function testKernels(kernels: Readonly<Record<string, Kernel>>, cases: Cases): void {
  it("has a test for every kernel of its file", () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(kernels).sort());
  });
  it.each(Object.entries(cases))("%s equals TensorFlow.js's, and so does its gradient", async (kernel, list) => {
    const all = list.map((one): Case => ({ forms: true, calls: [kernel], ...one }));
    const isNamed = ({ args }: Case): boolean =>
      args.some(({ shape }) => shape.some((size) => typeof size === "string"));
    for (const group of Object.values(
      Object.groupBy(all, (one) => JSON.stringify([isNamed(one), one.sizes, one.tolerance])),
    )) {
      await checkTogether(group!, kernel);
    }
  });
}

/** One program for all cases, which takes a fraction of the time of one for each; if it fails, the case that does. */
async function checkTogether(cases: readonly Case[], kernel: string): Promise<void> {
  const parts = cases.map((one) => withGradients(one.fn, one.args, one));
  const starts = cases.map((_, i) => cases.slice(0, i).reduce((sum, { args }) => sum + args.length, 0));
  const together: Fn = (...tensors) =>
    parts.flatMap((part, i) => part(...tensors.slice(starts[i]!, starts[i]! + cases[i]!.args.length)));
  const args = cases.flatMap((one) => one.args);
  try {
    const { calls } = await check(together, args, { ...cases[0]!, gradient: false, forms: false, calls: [] });
    const expected = cases.filter((one) => one.calls!.length > 0).length;
    expect(calls.filter((call) => call.kernel === kernel).length, "calls of the kernel").toBeGreaterThanOrEqual(
      expected,
    );
  } catch (error) {
    for (const one of cases) {
      await check(one.fn, one.args, one).catch((cause: Error) => {
        cause.message = `${kernel}, ${titleOf(one)}: ${cause.message}`;
        throw cause;
      });
    }
    throw error;
  }
}

function titleOf({ title, args }: Case): string {
  const shapes = args.map(({ dtype, shape }) => `${dtype} [${shape.join(", ")}]`).join(" and ");
  return [title, shapes].filter(Boolean).join(", ");
}

const makers = { float32: floats, int32: ints, bool: bools };

interface ElementOptions extends CheckOptions {
  /** Bounds of the random numbers. */
  readonly from?: number;
  readonly to?: number;
  /** Types beside float32 that are compiled. @default none */
  readonly also?: readonly ("int32" | "bool")[];
}

/** Every rank, a named dimension, the types, and numbers at the edges. */
export function unary(fn: Fn, edges: readonly number[], options: ElementOptions = {}): Case[] {
  const { from = -2, to = 2, also = [], ...rest } = options;
  const shapes: Shape[] = [[], [7], [2, 3], [2, 1, 3], [2, 3, 1, 2], [2, 1, 2, 1, 3], ["B", 3, "T"]];
  return [
    ...shapes.map((shape) => ({ fn, args: [floats(shape, { from, to })], ...rest })),
    ...also.flatMap((dtype) =>
      [["B", 4], [3]].map((shape) => ({ fn, args: [makers[dtype](shape)], gradient: false as const })),
    ),
    ...(edges.length > 0
      ? [{ fn, args: [floats([edges.length], edges)], title: "numbers at the edges", gradient: false as const }]
      : []),
  ];
}

/** Pairs of shapes that broadcast, on either side and on both. */
export const broadcasts: readonly (readonly [Shape, Shape])[] = [
  [[], []],
  [[2, 3], []],
  [[], [2, 3]],
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [[1], [2, 3]],
  [
    [2, 1],
    [1, 3],
  ],
  [
    [2, 1, 4],
    [3, 1],
  ],
  [[4], [2, 1, 3, 4]],
  [
    [2, 1, 2, 1, 3],
    [2, 1, 2, 1],
  ],
  [
    ["B", 3],
    ["B", 3],
  ],
  [["B", 3], [3]],
  [
    ["B", 1],
    ["B", 3],
  ],
  [
    [1, "T"],
    ["B", 1],
  ],
  [["B", "T", 2], []],
];

export function binary(
  fn: Fn,
  { left = {}, right = {}, types = ["float32"], alikeOnly, ...rest }: BinaryOptions = {},
): Case[] {
  return types.flatMap((dtype) =>
    broadcasts.map(([a, b]) => ({
      fn,
      args: [makers[dtype](a, left), makers[dtype](b, right)],
      ...((dtype !== "float32" || (alikeOnly && `${a}` !== `${b}`)) && { gradient: false as const }),
      ...rest,
    })),
  );
}

interface BinaryOptions extends CheckOptions {
  /** TensorFlow.js has a gradient for equal shapes only. */
  readonly alikeOnly?: boolean;
  readonly left?: { readonly from?: number; readonly to?: number };
  readonly right?: { readonly from?: number; readonly to?: number };
  readonly types?: readonly ("float32" | "int32" | "bool")[];
}

/** All pairs of these numbers. */
export function pairs(fn: Fn, numbers: readonly number[], make: typeof floats | typeof ints = floats): Case {
  const n = numbers.length;
  const left = Array.from({ length: n * n }, (_, i) => numbers[Math.floor(i / n)]!);
  const right = Array.from({ length: n * n }, (_, i) => numbers[i % n]!);
  return {
    fn,
    args: [make([n * n], left), make([n * n], right)],
    title: "numbers at the edges",
    gradient: false,
    forms: false,
  };
}
