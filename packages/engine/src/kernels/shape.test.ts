import { tf } from "@clara/tensor";
import { type Case, testKernels } from "./cases.testing.ts";
import { bools, floats, ints } from "./check.testing.ts";
import { shape } from "./shape.ts";

type Sized = { shape: number[] };

// TensorFlow.js has no gradient of a list with one part.
testKernels(shape, {
  Identity: [
    { fn: (x) => tf.clone(x), args: [floats(["B", 2])] },
    { fn: (x) => [tf.clone(x), x], args: [ints([])] },
    { fn: (x) => tf.clone(x), args: [bools([3])] },
  ],
  Reshape: [
    { fn: (x) => tf.reshape(x, [3, 2]), args: [floats([2, 3])] },
    { fn: (x) => tf.reshape(x, [-1]), args: [floats([2, 3, 4])] },
    { fn: (x) => tf.reshape(x, []), args: [floats([1, 1])] },
    { fn: (x) => tf.reshape(x, [1, 1, 1, 1, 1]), args: [floats([])] },
    { fn: (x) => tf.reshape(x, [2, -1, 3]), args: [ints([3, 4])] },
    { fn: (x) => tf.reshape(x, [4, 3]), args: [bools([3, 4])] },
    { fn: (x) => tf.reshape(x, [-1, 4]), args: [floats(["B", "T", 4])] },
    { fn: (x: Sized) => tf.reshape(x as tf.Tensor, [x.shape[0]!, -1, 2]), args: [floats(["B", 3, 2, "T"])] },
    { fn: (x: Sized) => tf.reshape(x as tf.Tensor, [-1, x.shape[1]! * 6]), args: [floats([6, "T", "B"])] },
  ],
  ExpandDims: [
    ...[0, 1, 2, -1, -2, -3].map(
      (dim): Case => ({ fn: (x) => tf.expandDims(x, dim), args: [floats([2, 3])], title: `axis ${dim}` }),
    ),
    { fn: (x) => tf.expandDims(x, 1), args: [floats(["B", 3])] },
    { fn: (x) => tf.expandDims(x), args: [ints([])] },
  ],
  Transpose: [
    { fn: (x) => tf.transpose(x), args: [floats([2, 3])] },
    { fn: (x) => tf.transpose(x), args: [floats([2, 3, 4])] },
    // Not its own inverse.
    { fn: (x) => tf.transpose(x, [1, 2, 0]), args: [floats([2, 3, 4])] },
    { fn: (x) => tf.transpose(x, [2, 0, 3, 1]), args: [floats(["B", "T", 2, 3])] },
    { fn: (x) => tf.transpose(x, [4, 0, 3, 1, 2]), args: [ints([2, 3, 1, 2, 4])] },
    { fn: (x) => tf.transpose(x, [0, 2, 1]), args: [bools([2, 3, 4])] },
  ],
  Tile: [
    { fn: (x) => tf.tile(x, [3]), args: [floats([2])] },
    { fn: (x) => tf.tile(x, [2, 3]), args: [floats([2, 3])] },
    { fn: (x) => tf.tile(x, [1, 2]), args: [floats(["B", 3])] },
    { fn: (x) => tf.tile(x, [2, 1, 2, 1]), args: [floats([2, 1, 3, 2])] },
    { fn: (x) => tf.tile(x, [2, 1, 2, 1, 1]), args: [floats([1, 2, 3, 2, 2])], gradient: false },
    { fn: (x) => tf.tile(x, [2, 2]), args: [ints([2, 1])] },
    { fn: (x) => tf.tile(x, [2, 2]), args: [bools([2, 1])] },
    { fn: (x) => tf.broadcastTo(x, [2, 4, 3]), args: [floats([4, 1])] },
    // The gradient in TensorFlow.js has one operation for each repetition.
    { fn: (x, y: Sized) => tf.broadcastTo(x, y.shape), args: [floats([3]), floats(["B", "T", 3])], gradient: false },
    { fn: (x, y: Sized) => tf.tile(x, [y.shape[0]!, 1]), args: [floats([2, 3]), floats(["B"])], gradient: false },
  ],
  Concat: [
    ...[0, 1, -1, -2].map(
      (axis): Case => ({
        fn: (a, b) => tf.concat([a, b], axis),
        args: [floats([2, 3]), floats([2, 3])],
        title: `axis ${axis}`,
      }),
    ),
    { fn: (a, b, c) => tf.concat([a, b, c], 1), args: [floats(["B", 2]), floats(["B", 1]), floats(["B", 3])] },
    { fn: (a, b) => tf.concat([a, b], 1), args: [floats(["B", "T", 2]), floats(["B", 3, 2])] },
    { fn: (a, b) => tf.concat([a, b], 0), args: [floats([2]), floats([3])] },
    { fn: (a, b) => tf.concat([a, b], 3), args: [ints([1, 2, 1, 3, 2]), ints([1, 2, 1, 1, 2])] },
    { fn: (a, b) => tf.concat([a, b], 1), args: [bools([2, 1]), bools([2, 2])] },
    { fn: (a, b) => tf.concat([a, b], 0), args: [floats([2]), ints([3])], title: "of two types" },
  ],
  Pack: [
    ...[0, 1, 2, -1, -2].map(
      (axis): Case => ({
        fn: (a, b) => tf.stack([a, b], axis),
        args: [floats([2, 3]), floats([2, 3])],
        title: `axis ${axis}`,
      }),
    ),
    { fn: (a, b, c) => tf.stack([a, b, c]), args: [floats([]), floats([]), floats([])] },
    { fn: (a) => tf.stack([a], 1), args: [floats(["B", 3])] },
    { fn: (a, b) => tf.stack([a, b], 1), args: [ints(["B", 3]), ints(["B", 3])] },
    { fn: (a, b) => tf.stack([a, b], 3), args: [bools([1, 2, 1, 3]), bools([1, 2, 1, 3])] },
  ],
  Unpack: [
    ...[0, 1, 2, -1, -3].map(
      (axis): Case => ({ fn: (x) => tf.unstack(x, axis), args: [floats([2, 3, 4])], title: `axis ${axis}` }),
    ),
    { fn: (x) => tf.unstack(x, 1), args: [floats(["B", 3])] },
    { fn: (x) => tf.unstack(x), args: [floats([1, 3])], gradient: false, title: "one part" },
    { fn: (x) => tf.unstack(x), args: [ints([3])] },
    { fn: (x) => tf.unstack(x, 1), args: [bools([2, 2])] },
  ],
  SplitV: [
    ...[0, 1, -1].map(
      (axis): Case => ({ fn: (x) => tf.split(x, 2, axis), args: [floats([2, 4, 6])], title: `axis ${axis}` }),
    ),
    { fn: (x) => tf.split(x, [1, 3, 2], 1), args: [floats(["B", 6])] },
    { fn: (x) => tf.split(x, [1, -1, 2], 1), args: [floats([2, 6])] },
    { fn: (x) => tf.split(x, 1, 1), args: [floats([2, 6])], gradient: false, title: "one part" },
    {
      fn: (x: Sized) => tf.split(x as tf.Tensor, [1, x.shape[1]! - 1], 1),
      args: [floats([2, "T"])],
      sizes: [{ T: 7 }, { T: 2 }],
    },
    { fn: (x) => tf.split(x, 2, 3), args: [ints([1, 2, 1, 4, 2])] },
    { fn: (x) => tf.split(x, [1, 2]), args: [bools([3])] },
  ],
});
