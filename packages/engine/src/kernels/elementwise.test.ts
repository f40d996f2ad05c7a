import { tf } from "@clara/tensor";
import { binary, type Case, pairs, testKernels, unary } from "./cases.testing.ts";
import { bools, floats, ints } from "./check.testing.ts";
import { elementwise } from "./elementwise.ts";

const [inf, nan] = [Number.POSITIVE_INFINITY, Number.NaN];
const anywhere = [0, -0, 1, -1, inf, -inf, nan, 0.5, -0.5, 1.5, -2.5, 20, -20, 1e-6, -1e-6, 1e30];
const numbers = [0, -0, 1, -1, inf, -inf, nan, 0.5, -2.5, 3, 1e30];
const whole = [0, 1, -1, 2, -3, 7, 100, -100];
const int: readonly "int32"[] = ["int32"];

/** Comparisons and the like: without a gradient. */
const noGradient = { gradient: false } as const;

type Binary = (a: tf.Tensor | number, b: tf.Tensor | number) => tf.Tensor;

/** With 0, 1 and other numbers on either side and on both, which need no node; and with sizes. */
function constants(fn: Binary, { title = "constants" } = {}): Case[] {
  const both = ([a, b]: readonly [number, number]): tf.Tensor => fn(tf.fill([2, 3], a), tf.fill([3], b));
  return [
    {
      fn: (x) => [0.5, 1, 2, 3].flatMap((number) => [fn(x, number), fn(number, x)]),
      args: [floats([2, 3], { from: 0.5, to: 3 })],
      title,
    },
    {
      fn: (x) => [fn(0, x), fn(tf.zerosLike(x), x)],
      args: [floats([2, 3], { from: 0.5, to: 3 })],
      title,
      gradient: false,
    },
    {
      fn: () =>
        (
          [
            [2, 3],
            [0.1, 0.2],
            [1, 7],
            [5, 1],
          ] as const
        ).map(both),
      args: [],
      title: `${title} only`,
      gradient: false,
    },
    {
      fn: (x) => {
        const [b, t] = x.shape as [number, number];
        return [
          fn(b, t),
          fn(t, b),
          fn(b * t, t),
          fn(3, t),
          fn(t, 3),
          fn(fn(b, t), fn(t, 2)),
          fn(x, b * t),
          fn(t + 1, x),
        ];
      },
      args: [floats(["B", "T"], { from: 0.5, to: 3 })],
      title: `${title} that are sizes`,
    },
  ];
}

testKernels(elementwise, {
  Abs: unary(tf.abs, anywhere, { also: int }),
  Acos: unary(tf.acos, [0, 1, -1, 2, nan], { from: -0.9, to: 0.9 }),
  Acosh: unary(tf.acosh, [1, 0, 30, inf, nan], { from: 1.2, to: 4 }),
  Asin: unary(tf.asin, [0, 1, -1, 2, nan], { from: -0.9, to: 0.9 }),
  Asinh: unary(tf.asinh, anywhere),
  Atan: unary(tf.atan, anywhere),
  Atanh: unary(tf.atanh, [0, 1, -1, 2, 1e-6, nan], { from: -0.9, to: 0.9 }),
  Ceil: unary(tf.ceil, anywhere),
  Cos: unary(
    tf.cos,
    anywhere.filter((x) => x !== 1e30),
  ),
  Cosh: unary(tf.cosh, anywhere),
  Elu: unary(tf.elu, anywhere),
  Exp: unary(tf.exp, anywhere, { also: ["int32", "bool"] }),
  // TensorFlow.js approximates it, within 1.5e-7.
  Erf: unary(tf.erf, [0, 1, -1, 5, -5, inf, -inf, nan], { also: int }),
  Expm1: unary(tf.expm1, anywhere),
  Floor: unary(tf.floor, anywhere),
  IsFinite: unary(tf.isFinite, anywhere, { ...noGradient, also: ["int32", "bool"] }),
  IsInf: unary(tf.isInf, anywhere, { ...noGradient, also: ["int32", "bool"] }),
  IsNan: unary(tf.isNaN, anywhere, { ...noGradient, also: ["int32", "bool"] }),
  LeakyRelu: [
    ...unary((x) => tf.leakyRelu(x, 0.3), anywhere),
    { fn: (x) => tf.leakyRelu(x, 0.3), args: [ints([2, 4])], ...noGradient },
  ],
  Log: unary(tf.log, anywhere, { from: 0.1, to: 4 }),
  Log1p: unary(tf.log1p, anywhere, { from: -0.9, to: 4 }),
  LogicalNot: [
    { fn: tf.logicalNot, args: [bools(["B", 3])] },
    { fn: tf.logicalNot, args: [bools([])] },
  ],
  Neg: unary(tf.neg, anywhere, { also: int }),
  Reciprocal: unary(tf.reciprocal, anywhere, { from: 0.3, to: 3 }),
  Relu: unary(tf.relu, anywhere, { also: int }),
  Relu6: unary((x) => tf.relu6(x), [...anywhere, 6, 7], { from: -3, to: 9, also: int }),
  Round: unary(tf.round, [...anywhere, 2.5, 3.5, -1.5, 0.49], { also: int }),
  Rsqrt: unary(tf.rsqrt, anywhere, { from: 0.1, to: 4 }),
  Selu: unary(tf.selu, anywhere),
  Sigmoid: unary(tf.sigmoid, anywhere),
  Sign: unary(
    tf.sign,
    anywhere.filter((x) => !Number.isNaN(x)),
    { also: int },
  ),
  Sin: unary(
    tf.sin,
    anywhere.filter((x) => x !== 1e30),
  ),
  Sinh: unary(tf.sinh, anywhere),
  Softplus: unary(tf.softplus, anywhere),
  Sqrt: unary(tf.sqrt, anywhere, { from: 0.1, to: 4 }),
  Square: unary(tf.square, anywhere, { also: int }),
  Step: [
    ...unary(
      (x) => tf.step(x),
      anywhere.filter((x) => !Number.isNaN(x)),
      { also: int },
    ),
    ...unary((x) => tf.step(x, 0.25), [0, -1, 1]),
  ],
  Tan: unary(
    tf.tan,
    anywhere.filter((x) => x !== 1e30),
    { from: -1.2, to: 1.2 },
  ),
  Tanh: unary(tf.tanh, anywhere),

  Add: [...constants(tf.add as Binary), ...binary(tf.add, { types: ["float32", "int32"] }), pairs(tf.add, numbers)],
  Sub: [...constants(tf.sub as Binary), ...binary(tf.sub, { types: ["float32", "int32"] }), pairs(tf.sub, numbers)],
  Multiply: [
    ...constants(tf.mul as Binary),
    ...binary(tf.mul, { types: ["float32", "int32", "bool"] }),
    pairs(tf.mul, numbers),
  ],
  RealDiv: [...constants(tf.div as Binary), ...binary(tf.div, { right: { from: 0.4, to: 3 } }), pairs(tf.div, numbers)],
  FloorDiv: [
    ...binary(tf.floorDiv, { left: { from: -9, to: 9 }, right: { from: 1, to: 4 }, types: ["float32", "int32"] }),
    ...binary(tf.floorDiv, { left: { from: -9, to: 9 }, right: { from: -4, to: -1 }, types: ["int32"] }).slice(0, 6),
    pairs(tf.floorDiv, whole, ints),
    pairs(tf.floorDiv, [0, 1, -1, 0.5, -2.5, 3, 0.1, 0.3]),
  ],
  Mod: [
    ...binary(tf.mod, { left: { from: -9, to: 9 }, right: { from: 1, to: 4 }, types: ["float32", "int32"] }),
    ...binary(tf.mod, { left: { from: -9, to: 9 }, right: { from: -4, to: -1 } }).slice(0, 6),
    pairs(tf.mod, whole, ints),
    pairs(tf.mod, [...numbers, 1e-6, -100, 100]),
  ],
  Maximum: [
    ...constants(tf.maximum as Binary).map((one) => ({ ...one, ...noGradient })),
    ...binary(tf.maximum, { alikeOnly: true, types: ["float32", "int32"] }),
    pairs(tf.maximum, numbers),
  ],
  Minimum: [
    ...constants(tf.minimum as Binary).map((one) => ({ ...one, ...noGradient })),
    ...binary(tf.minimum, { alikeOnly: true, types: ["float32", "int32"] }),
    pairs(tf.minimum, numbers),
  ],
  Pow: [
    ...binary(tf.pow, { left: { from: 0.3, to: 3 } }),
    ...binary(tf.pow, { left: { from: -3, to: 3 }, right: { from: 0, to: 4 }, types: ["int32"] }).slice(0, 8),
    ...[1, 2, 3, 0.5, -1, 0].map(
      (power): Case => ({
        fn: (x) => tf.pow(x, power),
        args: [floats(["B", 3], { from: 0.3, to: 3 })],
        title: `power ${power}`,
        calls: power === 1 ? [] : ["Pow"],
      }),
    ),
    { fn: (x) => tf.pow(x, tf.scalar(2)), args: [floats([2, 3])], title: "squares of negative numbers" },
    pairs(tf.pow, [0, 1, 0.5, 3, -2, 20]),
  ],
  Atan2: [
    ...binary(tf.atan2),
    {
      ...pairs(tf.atan2, [0, 1, -1, 0.5, -2.5, inf, nan]),
      args: [floats([6], [0, 0, 1, -1, 1, -1]), floats([6], [1, -1, 0, 0, -1, -1])],
    },
  ],
  SquaredDifference: [
    ...constants(tf.squaredDifference as Binary).map((one) => ({ ...one, ...noGradient })),
    ...binary(tf.squaredDifference, { alikeOnly: true, types: ["float32", "int32"] }),
  ],
  Equal: [...binary(tf.equal, { types: ["int32", "bool"] }), { ...pairs(tf.equal, numbers), gradient: false }],
  NotEqual: [...binary(tf.notEqual, { types: ["int32", "bool"] }), pairs(tf.notEqual, numbers)],
  Greater: [...binary(tf.greater, { types: ["int32", "bool"] }), pairs(tf.greater, numbers)],
  GreaterEqual: [...binary(tf.greaterEqual, { types: ["int32", "bool"] }), pairs(tf.greaterEqual, numbers)],
  Less: [...binary(tf.less, { types: ["int32", "bool"] }), pairs(tf.less, numbers)],
  LessEqual: [...binary(tf.lessEqual, { types: ["int32", "bool"] }), pairs(tf.lessEqual, numbers)],
  LogicalAnd: binary(tf.logicalAnd, { types: ["bool"] }),
  LogicalOr: binary(tf.logicalOr, { types: ["bool"] }),

  ClipByValue: [
    ...unary((x) => tf.clipByValue(x, -0.5, 1.25), anywhere),
    ...unary((x) => tf.clipByValue(x, 0, inf), [-1, 0, 5, inf], { also: int }),
    { fn: (x) => tf.clipByValue(x, -1.5, 2.5), args: [ints([9], { from: -4, to: 4 })] },
  ],
  Cast: (["float32", "int32", "bool"] as const).flatMap((to) => [
    { fn: (x) => tf.cast(x, to), args: [floats(["B", 3], [0.7, -0.7, 2.9, -2.9, 0, 5])], title: `to ${to}`, calls: [] },
    { fn: (x) => tf.cast(x, to), args: [ints([2, 3])], title: `to ${to}`, calls: [] },
    { fn: (x) => tf.cast(x, to), args: [bools([2, "T"])], title: `to ${to}`, calls: [] },
  ]),
  Prelu: [
    [[2, 3], [3]],
    [[2, 3], []],
    [["B", 3], [1]],
    [
      ["B", "T", 2],
      [1, 2],
    ],
    [
      [3, 2],
      [3, 2],
    ],
  ].map(([x, alpha]) => ({ fn: tf.prelu, args: [floats(x!), floats(alpha!)] })),
  EluGrad: [
    { fn: (x) => tf.grads((x: tf.Tensor) => tf.elu(x))([x]), args: [floats(["B", 3])], gradient: false },
    {
      fn: (x, dy) => tf.grads((x: tf.Tensor) => tf.elu(x))([x], dy),
      args: [floats([2, 3]), floats([2, 3])],
      gradient: false,
    },
  ],
  AddN: [
    { fn: (...x: tf.Tensor[]) => tf.addN(x), args: [floats(["B", 3]), floats(["B", 3]), floats(["B", 3])] },
    { fn: (...x: tf.Tensor[]) => tf.addN(x), args: [ints([2, 3]), ints([2, 3])] },
    { fn: (x) => tf.addN([x]), args: [floats([])] },
  ],
});
