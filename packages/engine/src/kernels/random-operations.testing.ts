import { attention, crossEntropy, dropout, gelu, layerNorm, rmsNorm, rotary, silu, tf } from "@clara/tensor";
import {
  along,
  anyFloat,
  forwardOnly,
  inside,
  isFloat,
  isInt,
  last,
  type Operation,
  onExact,
  onFloat,
  onInts,
  onPair,
  positive,
  type Step,
} from "./random-values.testing.ts";

/** What graphs are made of. Together they call every kernel that a few small tensors can. */
export const operations: readonly (readonly [string, Operation])[] = Object.entries({
  tanh: onFloat(tf.tanh),
  sigmoid: onFloat(tf.sigmoid),
  softplus: onFloat(tf.softplus),
  sin: onFloat(tf.sin),
  cos: onFloat(tf.cos),
  tan: onFloat((x) => tf.tan(inside(x))),
  sinh: onFloat((x) => tf.sinh(inside(x))),
  cosh: onFloat((x) => tf.cosh(inside(x))),
  asin: onFloat((x) => tf.asin(inside(x))),
  acos: onFloat((x) => tf.acos(inside(x))),
  atan: onFloat(tf.atan),
  asinh: onFloat(tf.asinh),
  acosh: onFloat((x) => tf.acosh(tf.add(positive(x), 1))),
  atanh: onFloat((x) => tf.atanh(inside(x))),
  exp: onFloat((x) => tf.exp(inside(x))),
  expm1: onFloat((x) => tf.expm1(inside(x))),
  log: onFloat((x) => tf.log(positive(x))),
  log1p: onFloat((x) => tf.log1p(tf.square(x))),
  sqrt: onFloat((x) => tf.sqrt(positive(x))),
  rsqrt: onFloat((x) => tf.rsqrt(positive(x))),
  reciprocal: onFloat((x) => tf.reciprocal(positive(x))),
  square: onFloat(tf.square),
  pow: onFloat((x) => tf.pow(positive(x), 1.5)),
  neg: onFloat(tf.neg),
  abs: onFloat(tf.abs),
  erf: onFloat(tf.erf),
  elu: onFloat(tf.elu),
  selu: onFloat(tf.selu),
  relu: onFloat(tf.relu),
  relu6: onFloat((x) => tf.relu6(tf.mul(x, 3))),
  leakyRelu: onFloat((x) => tf.leakyRelu(x, 0.2)),
  clip: onFloat((x) => tf.clipByValue(x, -0.7, 0.9)),
  gelu: onFloat(gelu),
  silu: onFloat(silu),
  cast: onFloat((x) => tf.cast(x, "float32")),
  floor: onExact(tf.floor),
  ceil: onExact(tf.ceil),
  round: onExact((x) => tf.round(tf.mul(x, 2))),
  sign: onExact(tf.sign),
  step: onExact((x) => tf.step(x, 0.25)),
  whole: onExact((x) => tf.cast(tf.mul(x, 2), "int32")),
  tests: onExact((x) => tf.logicalOr(tf.isNaN(x), tf.logicalAnd(tf.isFinite(x), tf.logicalNot(tf.isInf(x))))),
  compare: onExact((x) => tf.logicalAnd(tf.greater(x, -1), tf.logicalOr(tf.lessEqual(x, 0), tf.greaterEqual(x, 1)))),
  mod: onExact((x) => tf.mod(x, 0.75)),

  add: onPair(tf.add),
  sub: onPair(tf.sub),
  mul: onPair(tf.mul),
  div: onPair((a, b) => tf.div(a, positive(b))),
  maximum: onPair(tf.maximum, { alike: true }),
  minimum: onPair(tf.minimum, { alike: true }),
  squaredDifference: onPair(tf.squaredDifference, { alike: true }),
  atan2: onPair((a, b) => tf.atan2(a, positive(b))),
  powers: onPair((a, b) => tf.pow(positive(a), tf.tanh(b))),
  addN: onPair((a, b) => tf.addN([a, b, a]), { alike: true }),
  stack: onPair((a, b) => tf.stack([a, b], -1), { alike: true }),
  prelu: ({ pick, float, shape }) => {
    const x = pick((x) => isFloat(x) && x.rank > 0);
    return x === undefined ? undefined : { run: tf.prelu as Step["run"], inputs: [x, float([shape(x).at(-1)!])] };
  },

  sum: along((x, axis, { random }) => tf.sum(x, axis, random.below(2) === 0)),
  mean: along((x, axis, { random }) => tf.mean(x, axis, random.below(2) === 0)),
  max: along((x, axis, { random }) => tf.max(x, axis, random.below(2) === 0)),
  min: along((x, axis, { random }) => tf.min(x, axis, random.below(2) === 0)),
  means: onFloat((x) => tf.mean(x)),
  prod: forwardOnly(along((x, axis) => tf.prod(tf.tanh(x), axis))),
  cumsum: onFloat((x) => (x.rank === 0 ? x : tf.cumsum(x, x.rank - 1, true, x.rank === 2))),
  cumprod: forwardOnly(onFloat((x) => (x.rank === 0 ? x : tf.cumprod(tf.tanh(x), 0, x.rank === 2)))),
  softmax: onFloat((x) => (x.rank === 0 ? x : tf.softmax(x))),
  logSoftmax: onFloat((x) => (x.rank === 0 ? x : tf.logSoftmax(x))),
  logSumExp: along((x, axis) => tf.logSumExp(x, axis)),
  argMax: forwardOnly(along((x, axis) => tf.argMax(x, axis), { exact: true })),
  argMin: forwardOnly(along((x, axis) => tf.argMin(x, axis), { exact: true })),
  topk: forwardOnly(({ pick, isStatic }) => {
    const x = pick((x, exact) => exact && isFloat(x) && x.rank > 0 && isStatic(last(x)));
    if (x === undefined) return undefined;
    const run: Step["run"] = (x) => {
      const { values, indices } = tf.topk(x!, Math.min(2, last(x!)));
      return [values, indices];
    };
    return { run, inputs: [x], moves: true };
  }),

  clone: ({ pick }) => ({ run: (x) => tf.clone(x!), inputs: [pick(() => true)!], moves: true }),
  flatten: ({ pick }) => ({ run: (x) => tf.reshape(x!, [-1]), inputs: [pick(() => true)!], moves: true }),
  rows: ({ pick, isStatic }) => {
    const x = pick((x) => x.rank > 1 && isStatic(last(x)));
    return x === undefined ? undefined : { run: (x) => tf.reshape(x!, [-1, last(x!)]), inputs: [x], moves: true };
  },
  expandDims: along((x, axis) => tf.expandDims(x, axis), { moves: true }),
  squeeze: ({ pick }) => {
    const x = pick((x) => x.shape[x.rank - 1] === 1);
    return x === undefined ? undefined : { run: (x) => tf.squeeze(x!, [-1 + x!.rank]), inputs: [x], moves: true };
  },
  transpose: ({ pick, random, shape }) => {
    const x = pick((x) => x.rank > 1)!;
    if (x === undefined) return undefined;
    const perm = shape(x).map((_, i) => i);
    for (let i = perm.length - 1; i > 0; i--) {
      const j = random.below(i + 1);
      [perm[i], perm[j]] = [perm[j]!, perm[i]!];
    }
    return { run: (x) => tf.transpose(x!, perm), inputs: [x], moves: true };
  },
  reverse: along((x, axis) => tf.reverse(x, axis), { moves: true }),
  tile: along(
    (x, axis) =>
      tf.tile(
        x,
        x.shape.map((_, i) => (i === (axis + x.rank) % x.rank && x.rank < 5 ? 2 : 1)),
      ),
    { moves: true },
  ),
  pad: along(
    (x, axis) =>
      tf.pad(
        x,
        x.shape.map((_, i) => (i === (axis + x.rank) % x.rank ? [1, 2] : [0, 0])),
        0.5,
      ),
    { moves: true },
  ),
  mirrorPad: along(
    (x, axis) =>
      tf.mirrorPad(
        x,
        x.shape.map((_, i) => (i === (axis + x.rank) % x.rank ? [1, 0] : [0, 0])),
        "symmetric",
      ),
    { moves: true },
  ),
  slice: along(
    (x, axis) =>
      tf.slice(
        x,
        x.shape.map((_, i) => (i === (axis + x.rank) % x.rank ? 1 : 0)),
      ),
    { moves: true, static: true },
  ),
  stridedSlice: forwardOnly(
    along(
      (x, axis) => {
        const at = (axis + x.rank) % x.rank;
        const each = (one: number, other: number): number[] => x.shape.map((_, i) => (i === at ? one : other));
        return tf.stridedSlice(x, each(-1, 0), each(0, 0), each(-2, 1), 0, 2 ** x.rank - 1);
      },
      { moves: true, static: true },
    ),
  ),
  split: along((x, axis) => tf.split(x, [1, x.shape.at(axis)! - 1], axis), { moves: true, static: true }),
  unstack: along((x, axis) => tf.unstack(x, axis), { moves: true, static: true }),
  concat: along((x, axis) => tf.concat([x, tf.neg(x), x], axis)),

  gather: ({ pick, int, shape, random, isStatic }) => {
    const x = pick((x) => isFloat(x) && x.rank > 0);
    if (x === undefined) return undefined;
    const axis = random.below(shape(x).length);
    const size = shape(x)[axis]!;
    if (!isStatic(size)) return undefined;
    return { run: (x, i) => tf.gather(x!, i!, axis), inputs: [x, int([2, 2], { from: 0, to: size - 1 })], moves: true };
  },
  gatherRows: forwardOnly((graph) => {
    const x = anyFloat(graph, 2);
    if (x === undefined || !graph.isStatic(graph.shape(x)[1]!)) return undefined;
    const [rows, size] = graph.shape(x) as [number, number];
    return {
      run: (x, i) => tf.gather(x!, i!, 1, 1),
      inputs: [x, graph.int([rows, 3], { from: 0, to: size - 1 })],
      moves: true,
    };
  }),
  gatherND: forwardOnly((graph) => {
    const x = anyFloat(graph, 2);
    if (x === undefined || !graph.shape(x).every(graph.isStatic)) return undefined;
    const to = Math.min(...graph.shape(x)) - 1;
    return { run: (x, i) => tf.gatherND(x!, i!), inputs: [x, graph.int([4, 2], { from: 0, to })], moves: true };
  }),
  scatterND: forwardOnly((graph) => {
    const x = anyFloat(graph, 1);
    if (x === undefined) return undefined;
    const indices = graph.int([graph.shape(x)[0]!, 1], { from: 0, to: 3 });
    return { run: (x, i) => tf.scatterND(i!, x!, [4]), inputs: [x, indices] };
  }),
  tensorScatterUpdate: forwardOnly((graph) => {
    const x = anyFloat(graph, 1);
    if (x === undefined) return undefined;
    // A copy: TensorFlow.js's CPU backend writes into its input.
    const run: Step["run"] = (x) =>
      tf.tensorScatterUpdate(tf.mul(x!, 2), tf.tensor2d([0], [1, 1], "int32"), tf.tensor1d([7]));
    return { run, inputs: [x] };
  }),
  segments: ({ pick, int, shape }) => {
    const x = pick((x) => isFloat(x) && x.rank > 0);
    if (x === undefined) return undefined;
    const ids = int([shape(x)[0]!], { from: 0, to: 2 });
    return { run: (x, ids) => tf.unsortedSegmentSum(x!, ids as tf.Tensor1D, 3), inputs: [x, ids] };
  },
  oneHot: ({ int }) => ({ run: (i) => tf.oneHot(i!, 4, 2, -1, "float32"), inputs: [int([3], { from: 0, to: 3 })] }),
  where: ({ pick, bool, shape, float }) => {
    const x = pick(isFloat);
    if (x === undefined) return undefined;
    return { run: (c, a, b) => tf.where(c!, a!, b!), inputs: [bool(shape(x)), x, float(shape(x))], moves: true };
  },
  masked: ({ pick, int, shape }) => {
    const x = pick(isFloat);
    if (x === undefined) return undefined;
    const run: Step["run"] = (x, i) =>
      tf.mul(x!, tf.cast(tf.logicalAnd(tf.notEqual(i!, 2), tf.less(i!, 4)), "float32"));
    return { run, inputs: [x, int(shape(x))] };
  },

  matMul: ({ pick, float, shape, random, isStatic }) => {
    const x = pick((x) => isFloat(x) && x.rank > 1 && isStatic(last(x)));
    if (x === undefined) return undefined;
    const inner = shape(x).at(-1)!;
    const turned = random.below(2) === 0;
    const weight = float(turned ? [3, inner] : [inner, 3]);
    return { run: (x, w) => tf.matMul(tf.reshape(x!, [-1, inner]), w!, false, turned), inputs: [x, weight] };
  },
  batchMatMul: ({ pick, random }) => {
    const x = pick((x) => isFloat(x) && x.rank > 1);
    if (x === undefined) return undefined;
    const turned = random.below(2) === 0;
    return { run: (x) => tf.matMul(x!, x!, turned, !turned), inputs: [x] };
  },
  fusedMatMul: ({ pick, float, shape, isStatic, differentiable }) => {
    const x = pick((x) => isFloat(x) && x.rank === 2 && isStatic(last(x)));
    if (x === undefined) return undefined;
    const activation = differentiable ? "linear" : "elu";
    const run: Step["run"] = (a, b, bias) => tf.fused.matMul({ a: a!, b: b!, bias: bias!, activation });
    return { run, inputs: [x, float([shape(x)[1]!, 2]), float([2])] };
  },
  einsum: forwardOnly((graph) => {
    const x = anyFloat(graph, 3);
    return x === undefined ? undefined : { run: (x) => tf.einsum("bij,bkj->bik", x!, x!), inputs: [x] };
  }),

  layerNorm: ({ pick, float, shape, isStatic }) => {
    const x = pick((x) => isFloat(x) && x.rank > 0 && last(x) > 1 && isStatic(last(x)));
    if (x === undefined) return undefined;
    const width = [shape(x).at(-1)!];
    const run: Step["run"] = (x, gamma, beta) => layerNorm(x!, gamma as tf.Tensor1D, beta as tf.Tensor1D, 0.1);
    return { run, inputs: [x, float(width), float(width)] };
  },
  rmsNorm: ({ pick, float, shape, isStatic }) => {
    const x = pick((x) => isFloat(x) && x.rank > 0 && isStatic(last(x)));
    if (x === undefined) return undefined;
    return { run: (x, gamma) => rmsNorm(x!, gamma as tf.Tensor1D, 0.1), inputs: [x, float([shape(x).at(-1)!])] };
  },
  attention: (graph) => {
    const x = anyFloat(graph, 3);
    if (x === undefined || !graph.isStatic(graph.shape(x)[2]!)) return undefined;
    const [batch, tokens, width] = graph.shape(x) as [number, number, number];
    const mask = graph.int([batch, tokens], { from: 0, to: 1 });
    const heads = width % 2 === 0 ? 2 : 1;
    const run: Step["run"] = (x, k, mask) =>
      attention(x as tf.Tensor3D, k as tf.Tensor3D, x as tf.Tensor3D, {
        heads,
        // The first key is never dropped.
        mask: tf.maximum(mask!, tf.cast(tf.equal(tf.range(0, tokens), 0), "int32")) as tf.Tensor2D,
      });
    return graph.isStatic(tokens) ? { run, inputs: [x, graph.float([batch, tokens, width]), mask] } : undefined;
  },
  rotary: (graph) => {
    const x = anyFloat(graph, 3);
    if (x === undefined || graph.shape(x)[2]! % 2 !== 0 || !graph.isStatic(graph.shape(x)[2]!)) return undefined;
    const positions = graph.int([graph.shape(x)[1]!], { from: 0, to: 30 });
    const run: Step["run"] = (x, positions) =>
      rotary(x as tf.Tensor3D, { positions: positions as tf.Tensor1D, heads: 1 });
    return { run, inputs: [x, positions] };
  },
  dropout: ({ pick, int, random }) => {
    const x = pick(isFloat);
    if (x === undefined) return undefined;
    const seed = random.below(1000);
    return {
      run: (x, step) => dropout(x!, { rate: 0.3, seed, step: step as tf.Scalar }),
      inputs: [x, int([], { from: 0, to: 99 })],
    };
  },
  crossEntropy: (graph) => {
    const x = anyFloat(graph, 2);
    if (x === undefined || !graph.isStatic(graph.shape(x)[1]!)) return undefined;
    const [rows, classes] = graph.shape(x) as [number, number];
    const labels = graph.int([rows], { from: 0, to: classes - 1 });
    return classes < 2
      ? undefined
      : { run: (x, labels) => crossEntropy(x as tf.Tensor2D, labels as tf.Tensor1D), inputs: [x, labels] };
  },

  intSum: onInts((a, b) => tf.add(tf.mul(a, b), tf.sub(b, tf.neg(a)))),
  intMod: onInts((a, b) => tf.mod(a, b)),
  intDiv: onInts((a, b) => tf.floorDiv(a, b)),
  intMost: onInts((a, b) => tf.maximum(tf.minimum(a, 3), b)),
  intFloat: ({ pick }) => {
    const x = pick(isInt);
    return x === undefined ? undefined : { run: (x) => tf.div(tf.cast(x!, "float32"), 4), inputs: [x] };
  },
  intTotal: ({ pick }) => {
    const x = pick((x) => isInt(x) && x.rank > 0);
    return x === undefined ? undefined : { run: (x) => [tf.sum(x!, 0), tf.cumsum(x!, 0), tf.max(x!, -1)], inputs: [x] };
  },
  anyAll: ({ bool }) => ({ run: (x) => [tf.any(x!, 1), tf.all(x!, 0, true)], inputs: [bool([3, 2])] }),
  like: onFloat((x) => tf.add(tf.onesLike(x), tf.mul(x, tf.add(tf.zerosLike(x), tf.fill([1], 0.5))))),
  ramp: onFloat((x) => (x.rank === 0 ? x : tf.add(tf.mul(x, tf.linspace(0, 1, last(x))), tf.range(0, last(x))))),
} satisfies Record<string, Operation>);
