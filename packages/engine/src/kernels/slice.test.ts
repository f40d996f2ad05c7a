import { tf } from "@clara/tensor";
import { type Case, testKernels } from "./cases.testing.ts";
import { bools, floats, ints } from "./check.testing.ts";
import { slice } from "./slice.ts";

type Sized = tf.Tensor & { shape: [number, number, number] };

/** begin, end, strides, and masks: begin, end, ellipsis, new axis, shrink. */
type Strided = [number[], number[], number[], number?, number?, number?, number?, number?];

const strided: readonly (readonly [readonly (number | string)[], Strided])[] = [
  [[7], [[1], [6], [2]]],
  [[7], [[-2], [0], [-2]]],
  [[7], [[5], [-9], [-1], 0, 0]],
  [[7], [[0], [0], [-3], 1, 1]],
  [[7], [[0], [0], [2], 1, 1]],
  [
    [3, 5],
    [
      [1, 1],
      [3, 5],
      [1, 2],
    ],
  ],
  [
    [3, 5],
    [
      [0, 4],
      [3, 0],
      [2, -2],
    ],
  ],
  [
    [3, 5],
    [[1], [3], [1]],
  ],
  [
    [3, 5],
    [[1, 0], [2, 5], [1, 1], 0, 0, 0, 0, 1],
  ],
  [
    [3, 5],
    [[-1, 1], [0, 4], [1, 1], 0, 0, 0, 0, 1],
  ],
  [
    [2, 3, 4],
    [[0, 1], [0, 3], [1, 2], 0, 0, 1],
  ],
  [
    [2, 3, 4],
    [[1, 0, 1], [2, 0, 2], [1, 1, 1], 0, 0, 2, 0, 5],
  ],
  [
    [2, 3],
    [[0, 0, 1], [2, 0, 3], [1, 1, 1], 0, 0, 0, 2],
  ],
  [
    [2, 3],
    [[0, 0, 0], [0, 0, 2], [1, 1, 1], 0, 0, 2, 1, 0],
  ],
  [
    ["B", 6],
    [[0, 0], [0, 0], [1, 2], 3, 3],
  ],
  [
    ["B", "T", 6],
    [[0, 1], [0, 6], [1, 2], 0, 0, 1],
  ],
  [
    ["B", 6],
    [[0, -1], [0, 0], [-1, -2], 1, 3],
  ],
];

testKernels(slice, {
  Slice: [
    { fn: (x) => tf.slice(x, [1], [2]), args: [floats([4])] },
    { fn: (x) => tf.slice(x, 1), args: [floats([4])] },
    { fn: (x) => tf.slice(x, 1, 2), args: [floats([4, 3])] },
    { fn: (x) => tf.slice(x, [1, 2], [2, -1]), args: [floats([4, 5])] },
    { fn: (x) => tf.slice(x, [0, 1, 0], [-1, 2, 3]), args: [floats([2, 4, 3])] },
    { fn: (x) => tf.slice(x, [0, 1], [-1, 2]), args: [floats(["B", 4])] },
    { fn: (x) => tf.slice(x, [0, 0], [-1, -1]), args: [floats(["B", 4])], title: "all of it" },
    { fn: (x: Sized) => tf.slice(x, [0, x.shape[1] - 1], [-1, 1]), args: [floats(["B", "T", 2])], title: "the last" },
    {
      fn: (x: Sized) => tf.slice(x, [0, 1, 0], [x.shape[0], x.shape[1] - 1, 1]),
      args: [floats(["B", "T", 2])],
      sizes: [
        { B: 2, T: 5 },
        { B: 1, T: 2 },
      ],
      title: "without the first",
    },
    { fn: (x) => tf.slice(x, [0, 1, 0, 1, 0], [1, 1, 1, 2, 2]), args: [ints([1, 2, 1, 3, 2])] },
    { fn: (x) => tf.slice(x, [1], [2]), args: [bools([4, 2])] },
  ],
  StridedSlice: strided.map(
    ([shape, [begin, end, strides, ...masks]], i): Case => ({
      fn: (x) => tf.stridedSlice(x, begin, end, strides, ...masks),
      args: [(i % 3 === 0 ? ints : floats)(shape)],
      gradient: false, // TensorFlow.js has none
      title: JSON.stringify([begin, end, strides, ...masks]),
    }),
  ),
  PadV2: [
    { fn: (x) => tf.pad(x, [[1, 2]]), args: [floats([3])] },
    {
      fn: (x) =>
        tf.pad(
          x,
          [
            [0, 2],
            [1, 0],
          ],
          7,
        ),
      args: [floats([2, 3])],
    },
    {
      fn: (x) =>
        tf.pad(x, [
          [0, 0],
          [1, 2],
        ]),
      args: [floats(["B", 3])],
    },
    {
      fn: (x) =>
        tf.pad(
          x,
          [
            [1, 0],
            [0, 1],
            [2, 0],
          ],
          -1.5,
        ),
      args: [floats(["B", "T", 2])],
    },
    {
      fn: (x) =>
        tf.pad(x, [
          [1, 0],
          [0, 1],
          [2, 0],
          [0, 0],
        ]),
      args: [floats([2, 1, 2, 3])],
    },
    {
      fn: (x: Sized) =>
        tf.pad(x, [
          [0, x.shape[1]],
          [1, 0],
        ]),
      args: [floats(["B", "T"])],
      gradient: false,
      title: "as far as a size",
    },
    {
      fn: (x) =>
        tf.pad(
          x,
          [
            [1, 0],
            [0, 1],
          ],
          3,
        ),
      args: [ints([2, 3])],
    },
    {
      fn: (x) =>
        tf.pad(
          x,
          [
            [1, 0],
            [0, 1],
          ],
          1,
        ),
      args: [bools([2, 3])],
    },
  ],
  // The gradient in TensorFlow.js leaves out what is mirrored; compiled, it is the same.
  MirrorPad: (["reflect", "symmetric"] as const).flatMap((mode): Case[] => [
    { fn: (x) => tf.mirrorPad(x, [[2, 1]], mode), args: [floats([4])], title: mode },
    {
      fn: (x) =>
        tf.mirrorPad(
          x,
          [
            [1, 0],
            [2, 2],
          ],
          mode,
        ),
      args: [floats([2, 3])],
      title: mode,
    },
    {
      fn: (x) =>
        tf.mirrorPad(
          x,
          [
            [0, 0],
            [1, 2],
          ],
          mode,
        ),
      args: [floats(["B", 3])],
      title: mode,
    },
    {
      fn: (x) =>
        tf.mirrorPad(
          x,
          [
            [1, 0],
            [0, 1],
            [0, 0],
          ],
          mode,
        ),
      args: [ints([2, 3, 2])],
      title: mode,
    },
    {
      fn: (x) =>
        tf.mirrorPad(
          x,
          [
            [0, 1],
            [0, 1],
          ],
          mode,
        ),
      args: [bools([2, 3])],
      title: mode,
    },
  ]),
  Reverse: [
    { fn: (x) => tf.reverse(x, [0]), args: [floats([5])] },
    ...[[0], [1], [-1], [0, 2], [-2, -1]].map(
      (axes): Case => ({ fn: (x) => tf.reverse(x, axes), args: [floats([2, 3, 4])], title: `axes ${axes}` }),
    ),
    { fn: (x) => tf.reverse(x), args: [floats([2, 3, 2, 2])], title: "all axes" },
    { fn: (x) => tf.reverse(x, 1), args: [floats(["B", "T", 2])] },
    { fn: (x) => tf.reverse(x, 0), args: [ints(["B", 2])] },
    { fn: (x) => tf.reverse(x, 1), args: [bools([2, 3])] },
  ],
});
