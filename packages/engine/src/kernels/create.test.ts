import { tf } from "@clara/tensor";
import { type Case, testKernels } from "./cases.testing.ts";
import { bools, floats, ints } from "./check.testing.ts";
import { create } from "./create.ts";

type Sized = tf.Tensor & { shape: [number, number] };

/** Kernels without inputs need an input in their program all the same, for the sizes. */
const like = floats(["B", "T"]);
const alone = { gradient: false, forms: false } as const;

testKernels(create, {
  Fill: [
    { fn: () => tf.fill([2, 3], 1.5), args: [], ...alone },
    { fn: () => tf.fill([], -2), args: [], ...alone },
    { fn: () => tf.fill([3], 7, "int32"), args: [], ...alone },
    { fn: () => tf.fill([3], 2.9, "int32"), args: [], ...alone },
    { fn: () => tf.fill([3], 1, "bool"), args: [], ...alone },
    { fn: () => tf.fill([3], true as unknown as number, "bool"), args: [], ...alone, title: "true" },
    { fn: (x: Sized) => tf.fill([x.shape[1], 2], 3), args: [like], ...alone },
    {
      fn: (x: Sized) => tf.add(x, tf.fill([x.shape[0], 1], x.shape[1])),
      args: [like],
      forms: false,
      title: "a size as value",
    },
    { fn: () => tf.fill([2], Number.NEGATIVE_INFINITY), args: [], ...alone, title: "infinite" },
  ],
  ZerosLike: [floats(["B", 3]), ints([2, 3]), bools([]), floats([1, 2, 1, 3, 2])].map(
    (x): Case => ({ fn: (x) => tf.zerosLike(x), args: [x] }),
  ),
  OnesLike: [floats(["B", 3]), ints([2, 3]), bools([]), floats([1, 2, 1, 3, 2])].map(
    (x): Case => ({ fn: (x) => tf.onesLike(x), args: [x], gradient: false }),
  ),
  Range: [
    ...(
      [
        [0, 5],
        [2, 5],
        [5, 0],
        [5, 2, -1],
        [0, 1, 0.3],
        [-2, 2.5, 0.5],
        [3, 3],
        [0, 5, -1],
        [5, 0, 2],
        [0.5, 4],
      ] as [number, number, number?][]
    ).flatMap((range): Case[] => [
      { fn: () => tf.range(...range), args: [], ...alone, title: `${range}` },
      ...(range.every(Number.isInteger)
        ? [
            {
              fn: () => tf.range(range[0], range[1], range[2], "int32"),
              args: [],
              ...alone,
              title: `${range} as int32`,
            },
          ]
        : []),
    ]),
    { fn: (x: Sized) => tf.range(0, x.shape[1], 1, "int32"), args: [like], ...alone },
    { fn: (x: Sized) => tf.range(x.shape[0], x.shape[0] + 3), args: [like], ...alone, title: "from a size" },
    { fn: (x: Sized) => tf.range(0, 2 * x.shape[0] * x.shape[1], 2), args: [like], ...alone, title: "to a product" },
  ],
  LinSpace: [
    { fn: () => tf.linspace(0, 1, 5), args: [], ...alone },
    { fn: () => tf.linspace(3, -3, 4), args: [], ...alone },
    { fn: () => tf.linspace(2, 7, 1), args: [], ...alone, title: "one number" },
    { fn: (x: Sized) => tf.linspace(-1, 1, x.shape[1]), args: [like], ...alone, title: "a size of numbers" },
    { fn: (x: Sized) => tf.linspace(0, x.shape[0], 4), args: [like], ...alone, title: "to a size" },
  ],
});
