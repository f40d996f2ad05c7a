import { tf } from "@clara/tensor";
import { type Case, testKernels } from "./cases.testing.ts";
import { type Argument, bools, type Fn, floats, ints } from "./check.testing.ts";
import { gather } from "./gather.ts";

type Sized = tf.Tensor & { shape: [number, number, number] };

const at = (shape: Argument["shape"], below: number): Argument => ints(shape, { from: 0, to: below - 1 });

const where: Fn = (condition, a, b) => tf.where(condition, a, b);

testKernels(gather, {
  GatherV2: [
    // The gradient along a negative axis is wrong in TensorFlow.js.
    ...[0, 1, 2].map(
      (axis): Case => ({
        fn: (x, i) => tf.gather(x, i, axis),
        args: [floats([4, 5, 6]), at([3], 4)],
        title: `axis ${axis}`,
      }),
    ),
    ...[-1, -2].map(
      (axis): Case => ({
        fn: (x, i) => tf.gather(x, i, axis),
        args: [floats([4, 5, 6]), at([3], 4)],
        gradient: false,
        title: `axis ${axis}`,
      }),
    ),
    { fn: (x, i) => tf.gather(x, i), args: [floats([7]), at([], 7)], title: "one" },
    { fn: (x, i) => tf.gather(x, i), args: [floats([5, 3]), at([2, 4], 5)], title: "a table" },
    { fn: (x, i) => tf.gather(x, i, 1), args: [floats([2, 5, 3]), at([2, 2], 5)], title: "in the middle" },
    { fn: (x, i) => tf.gather(x, i), args: [floats([5, 3]), at(["B", "T"], 5)] },
    { fn: (x, i) => tf.gather(x, i, 1), args: [floats(["B", 5]), at(["T"], 5)] },
    { fn: (x, i) => tf.gather(x, i), args: [ints([5, 2]), at([4], 5)] },
    { fn: (x, i) => tf.gather(x, i), args: [bools([5, 2]), at([4], 5)] },
    { fn: (x, i) => tf.gather(x, i), args: [floats([2, 1, 2, 1, 2]), at([3], 2)] },
    // With batch axes the gradient calls methods of tensors, which only the whole of TensorFlow.js has.
    ...(
      [
        [1, 1, [2, 5], [2, 3]],
        [1, 1, [2, 5, 4], [2, 3]],
        [2, 1, [2, 5, 4], [2, 3]],
        [2, 2, [2, 3, 4], [2, 3, 2]],
        [3, 1, [2, 3, 5, 4], [2, 2, 2]],
        [-1, 1, [2, 5, 4], [2, 3]],
        [1, -1, [2, 5, 4], [2, 3]],
        [1, 1, ["B", 5], ["B", "T"]],
        [2, 1, ["B", "T", 4], ["B", 3]],
      ] as [number, number, (number | string)[], (number | string)[]][]
    ).map(
      ([axis, batch, x, i]): Case => ({
        fn: (x, i) => tf.gather(x, i, axis, batch),
        args: [floats(x), at(i, 4)],
        gradient: false,
        title: `axis ${axis}, ${batch} batch axes`,
      }),
    ),
  ],
  GatherNd: [
    { fn: tf.gatherND as Fn, args: [floats([5]), at([3, 1], 5)], gradient: false },
    { fn: tf.gatherND as Fn, args: [floats([4, 5, 2]), at([3, 2], 4)], gradient: false },
    { fn: tf.gatherND as Fn, args: [floats([4, 5, 6]), at(["B", 2, 3], 4)], gradient: false },
    { fn: tf.gatherND as Fn, args: [floats([4, "T"]), at(["B", 1], 4)], gradient: false },
    { fn: tf.gatherND as Fn, args: [ints([4, 5]), at([3, 1], 4)] },
    { fn: tf.gatherND as Fn, args: [bools([4, 5]), at([3, 2], 4)] },
  ],
  ScatterNd: [
    { fn: (i, u) => tf.scatterND(i, u, [6]), args: [at([4, 1], 6), floats([4])], gradient: false },
    {
      fn: (i, u) => tf.scatterND(i, u, [3, 4]),
      args: [at([9, 2], 3), floats([9])],
      gradient: false,
      title: "on top of each other",
    },
    { fn: (i, u) => tf.scatterND(i, u, [3, 4]), args: [at([5, 1], 3), floats([5, 4])], gradient: false },
    { fn: (i, u) => tf.scatterND(i, u, [5, 4]), args: [at(["B", 1], 5), floats(["B", 4])], gradient: false },
    {
      fn: (i, u: Sized) => tf.scatterND(i, u, [3, u.shape[1]]),
      args: [at([2, 1], 3), floats([2, "T"])],
      gradient: false,
    },
    { fn: (i, u) => tf.scatterND(i, u, [3, 2]), args: [at([5, 2], 2), ints([5])] },
  ],
  // TensorFlow.js's CPU backend writes into its input: it is given no second one.
  TensorScatterUpdate: [
    {
      fn: tf.tensorScatterUpdate as Fn,
      args: [floats([5]), ints([2, 1], [3, 1]), floats([2])],
      gradient: false,
      forms: false,
    },
    {
      fn: tf.tensorScatterUpdate as Fn,
      args: [floats([4, 3]), ints([2, 1], [3, 1]), floats([2, 3])],
      gradient: false,
      forms: false,
    },
    {
      fn: tf.tensorScatterUpdate as Fn,
      args: [floats(["B", 3]), ints([1, 2], [0, 2]), floats([1])],
      gradient: false,
      forms: false,
    },
    { fn: tf.tensorScatterUpdate as Fn, args: [ints([4, 3]), ints([2, 2], [3, 1, 0, 2]), ints([2])], forms: false },
    { fn: tf.tensorScatterUpdate as Fn, args: [bools([4]), ints([2, 1], [3, 0]), bools([2])], forms: false },
  ],
  UnsortedSegmentSum: [
    { fn: (x, ids) => tf.unsortedSegmentSum(x, ids, 4), args: [floats([6]), at([6], 4)] },
    { fn: (x, ids) => tf.unsortedSegmentSum(x, ids, 3), args: [floats([5, 2]), at([5], 3)] },
    { fn: (x, ids) => tf.unsortedSegmentSum(x, ids, 3), args: [floats([4, 2, 3]), at([4], 3)] },
    { fn: (x, ids) => tf.unsortedSegmentSum(x, ids, 3), args: [floats(["B", 2]), at(["B"], 3)] },
    {
      fn: (x, ids, y: Sized) => tf.unsortedSegmentSum(x, ids, y.shape[0]),
      args: [floats([5, 2]), at([5], 1), floats(["B"])],
      gradient: [0],
      title: "as many as a size",
    },
    {
      fn: (x, ids) => tf.unsortedSegmentSum(x, ids, 3),
      args: [floats([6, 2]), ints([6], [0, -1, 2, 5, 3, 0])],
      gradient: false,
      title: "ids of no segment",
    },
    { fn: (x, ids) => tf.unsortedSegmentSum(x, ids, 3), args: [ints([5, 2]), at([5], 3)] },
    // As the gradient of an embedding.
    {
      fn: (x, i) => tf.gather(x, i),
      args: [floats([5, 3]), ints([2, 3], [4, 0, 4, 4, 2, 0])],
      title: "tokens that repeat",
    },
  ],
  OneHot: [
    { fn: (i) => tf.oneHot(i, 4), args: [at([3], 4)] },
    { fn: (i) => tf.oneHot(i, 4), args: [at([], 4)] },
    { fn: (i) => tf.oneHot(i, 4), args: [at(["B", "T"], 4)] },
    { fn: (i) => tf.oneHot(i, 4, 1, 0, "float32"), args: [at([2, 3], 4)] },
    { fn: (i) => tf.oneHot(i, 4, 2.5, -1, "float32"), args: [at([2, 3], 4)] },
    { fn: (i) => tf.oneHot(i, 4, 7, -3), args: [at([2, 3], 4)] },
    { fn: (i) => tf.oneHot(i, 4, 1, 0, "bool"), args: [at([2, 3], 4)] },
    { fn: (i) => tf.oneHot(i, 4, 0, 1, "bool"), args: [at([2, 3], 4)] },
    { fn: (i) => tf.oneHot(i, 3), args: [ints([5], [-1, 0, 2, 3, 9])], title: "indices outside" },
    {
      fn: (i, x: Sized) => tf.oneHot(i, x.shape[0] + 1),
      args: [ints([3], [0, 1, 1]), floats(["B"])],
      title: "as deep as a size",
      gradient: false,
    },
  ],
  Select: [
    { fn: where, args: [bools([]), floats([]), floats([])] },
    { fn: where, args: [bools([3]), floats([3]), floats([3])] },
    { fn: where, args: [bools([2, 3]), floats([2, 3]), floats([2, 3])] },
    { fn: where, args: [bools([3]), floats([2, 3]), floats([])] },
    { fn: where, args: [bools([2, 1]), floats([1, 3]), floats([2, 3])] },
    { fn: where, args: [bools([2, 1, 3, 1, 2]), floats([2, 1, 3, 1, 2]), floats([2, 1, 3, 1, 2])] },
    { fn: where, args: [bools(["B", 3]), floats(["B", 3]), floats(["B", 3])] },
    { fn: where, args: [bools(["B", 1]), floats(["B", 3]), floats([3])], gradient: [1], title: "stretched" },
    { fn: where, args: [bools([2, 3]), ints([2, 3]), ints([3])] },
    { fn: where, args: [bools([2, 3]), floats([2, 3]), ints([2, 3])], gradient: [1], title: "of two types" },
    { fn: where, args: [bools([2, 3]), bools([2, 3]), bools([1, 3])] },
    {
      fn: (x) => tf.where(tf.isNaN(x), tf.zerosLike(x), x),
      args: [floats([4], [1, Number.NaN, Number.NEGATIVE_INFINITY, 0])],
      gradient: false,
      title: "numbers at the edges",
    },
  ],
});
