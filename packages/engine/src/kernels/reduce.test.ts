import { tf } from "@clara/tensor";
import { type Case, testKernels } from "./cases.testing.ts";
import { type Argument, bools, type Fn, floats, ints } from "./check.testing.ts";
import { reduce } from "./reduce.ts";

type Reduction = (x: tf.Tensor, axis?: number | number[], keepDims?: boolean) => tf.Tensor;
type Make = typeof floats | typeof ints | typeof bools;

const axes: readonly (readonly [Argument["shape"], (number | number[] | undefined)[]])[] = [
  [[], [undefined]],
  [[5], [undefined, 0, -1]],
  [
    [2, 3],
    [undefined, 0, 1, -1, -2, [0, 1]],
  ],
  [
    [2, 3, 4],
    [1, [0, 2], [-1, 0], [-2]],
  ],
  [
    [2, 3, 2, 2],
    [[1, 3], 2],
  ],
  [
    [2, 1, 3, 2, 2],
    [[0, 3, 4], 1, -2],
  ],
  [
    ["B", 3],
    [undefined, 0, 1],
  ],
  [
    ["B", "T", 3],
    [[0, 1], 1, -1],
  ],
];

/** Every rank and choice of axes, with the axes kept and not. */
function reductions(
  fn: Reduction,
  { make = floats, values }: { make?: Make; values?: readonly number[] } = {},
): Case[] {
  return axes.flatMap(([shape, choices]) =>
    choices.flatMap((axis) =>
      [false, true].map((keep) => ({
        fn: ((x) => fn(x, axis, keep)) as Fn,
        args: [values ? floats(shape, values) : make(shape)],
        title: `axis ${JSON.stringify(axis)}${keep ? " kept" : ""}`,
      })),
    ),
  );
}

/** One axis after the other. */
function along(fn: (x: tf.Tensor, axis: number) => tf.Tensor, make: Make = floats): Case[] {
  const places: [Argument["shape"], number[]][] = [
    [[5], [0, -1]],
    [
      [2, 3],
      [0, 1, -1, -2],
    ],
    [
      [2, 3, 4],
      [0, 1, 2, -1, -3],
    ],
    [
      [2, 1, 2, 3, 2],
      [1, 3, -2],
    ],
    [
      ["B", 3],
      [0, 1],
    ],
    [
      [2, "B", "T"],
      [1, 2],
    ],
  ];
  return places.flatMap(([shape, choices]) =>
    choices.map((axis) => ({ fn: ((x) => fn(x, axis)) as Fn, args: [make(shape)], title: `axis ${axis}` })),
  );
}

const ties = [1, 3, 3, -2, 3, 0, -2, 3];
const few = <T>(cases: readonly T[]): T[] => cases.slice(5, 12);

/**
 * In TensorFlow.js a cumulative sum along a negative axis has a wrong shape, and its gradient is transposed unless the
 * axis is the last.
 */
function cumulative(fn: (x: tf.Tensor, axis: number) => tf.Tensor, make?: Make): Case[] {
  const cases = along((x, axis) => fn(x, axis), make).filter(({ title }) => !title!.includes("-"));
  return cases.map((one) => (one.title === `axis ${one.args[0]!.shape.length - 1}` ? one : noGradient(one)));
}

const flags = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;

testKernels(reduce, {
  Sum: [...reductions(tf.sum), ...few(reductions(tf.sum, { make: ints })), ...few(reductions(tf.sum, { make: bools }))],
  Mean: [
    ...reductions(tf.mean),
    ...few(reductions(tf.mean, { make: ints })),
    ...few(reductions(tf.mean, { make: bools })),
  ],
  Max: [
    ...reductions(tf.max),
    ...few(reductions(tf.max, { make: ints })),
    ...few(reductions(tf.max, { make: bools })),
    ...few(reductions(tf.max, { values: ties })),
    ...few(reductions(tf.max, { values: [Number.NEGATIVE_INFINITY, 1, Number.POSITIVE_INFINITY, -4] })).map(noGradient),
  ],
  Min: [
    ...reductions(tf.min),
    ...few(reductions(tf.min, { make: ints })),
    ...few(reductions(tf.min, { make: bools })),
    ...few(reductions(tf.min, { values: ties })),
  ],
  Prod: [
    // Its gradient calls methods of tensors, which only the whole of TensorFlow.js has.
    ...reductions(tf.prod).map(noGradient),
    ...few(reductions(tf.prod, { make: ints })),
    ...few(reductions(tf.prod, { make: bools })),
    { fn: (x) => tf.prod(x, 1), args: [floats([2, 3], [1, 0, 3, 0, 0, 2])], gradient: false, title: "zeros" },
  ],
  All: reductions(tf.all as Reduction, { make: bools }),
  Any: reductions(tf.any as Reduction, { make: bools }),
  ArgMax: [
    ...along(tf.argMax),
    ...along(tf.argMax, ints),
    ...along(tf.argMax, bools),
    { fn: (x) => tf.argMax(x, 1), args: [floats([2, 8], [...ties, ...ties.map((x) => -x)])], title: "ties" },
  ],
  ArgMin: [
    ...along(tf.argMin),
    ...along(tf.argMin, ints),
    ...along(tf.argMin, bools),
    { fn: (x) => tf.argMin(x, 1), args: [floats([2, 8], [...ties, ...ties.map((x) => -x)])], title: "ties" },
  ],
  Cumsum: flags.flatMap(([exclusive, reverse]) =>
    [floats, ints, bools].flatMap((make) => cumulative((x, axis) => tf.cumsum(x, axis, exclusive, reverse), make)),
  ),
  // TensorFlow.js has no gradient of it.
  Cumprod: flags.flatMap(([exclusive, reverse]) =>
    [floats, ints, bools]
      .flatMap((make) => cumulative((x, axis) => tf.cumprod(x, axis, exclusive, reverse), make))
      .map(noGradient),
  ),
  Softmax: [[[4]], [[2, 3]], [[2, 1, 3]], [[2, 1, 2, 3]], [["B", 3]], [["B", "T"]]]
    .map(([shape]): Case => ({ fn: (x) => tf.softmax(x), args: [floats(shape!, { from: -4, to: 4 })] }))
    .concat({
      fn: (x) => tf.softmax(x),
      args: [floats([2, 3], [-1e9, 2, 3, -1e9, -1e9, -1e9])],
      title: "masked",
    }),
  TopK: [
    ...[1, 2, 3].flatMap((k): Case[] => [
      { fn: topK(k), args: [floats([3])], gradient: false, title: `k ${k}` },
      { fn: topK(k), args: [floats([2, 2, 5])], gradient: false, title: `k ${k}` },
      { fn: topK(k), args: [floats(["B", 4])], gradient: false, title: `k ${k}` },
      { fn: topK(k), args: [floats([1, 1, 2, 2, 8], ties)], gradient: false, title: `ties, k ${k}` },
      { fn: topK(k), args: [ints([3, 6])], title: `k ${k}` },
      { fn: topK(k), args: [bools([3, 6])], title: `k ${k}` },
    ]),
    { fn: (x) => topK(x.shape[1])(x), args: [floats([3, "T"])], gradient: false, title: "all of them" },
    { fn: (x) => tf.sum(tf.topk(x, 3, false).values, -1), args: [floats([2, 7])], gradient: false, title: "unsorted" },
  ],
});

function topK(k: number): Fn {
  return (x) => {
    const { values, indices } = tf.topk(x, k);
    return [values, indices] as tf.Tensor[];
  };
}

function noGradient(one: Case): Case {
  return { ...one, gradient: false };
}
