import type { Dtype } from "../program.ts";
import { product, type Size, sum } from "../size.ts";
import { atan2, bound, compare, expm1, floorDivide, log1p, mod, type Write } from "./formulas.ts";
import { type Attrs, broadcast, casted, type Emitter, type Kernel, refuse, takes } from "./kernel.ts";
import { smallShape, stretch } from "./stretch.ts";

/** How two constants combine without a node; undefined where it depends on a size that cannot be written down. */
type Fold = (a: Size, b: Size) => Size | undefined;

/** The number that leaves the other operand as it is, on either side. */
interface Neutral {
  readonly left?: number;
  readonly right?: number;
}

interface BinaryOptions {
  /** Types that are taken. @default float32 and int32 */
  readonly from?: readonly Dtype[];
  /** Type of the result, when not that of `a`. */
  readonly to?: Dtype;
  readonly fold?: Fold;
  readonly neutral?: Neutral;
}

/**
 * An elementwise kernel of inputs `a` and `b`, which broadcast. Operands stay as small as they come: the gradient of a
 * mean is one number, not a tensor of them.
 */
function binary(write: Write | string, { from = ["float32", "int32"], to, fold, neutral }: BinaryOptions = {}): Kernel {
  return {
    infer({ a, b }) {
      takes(a!, ...from);
      if (a!.dtype !== b!.dtype) refuse(`needs two tensors of one type, got ${a!.dtype} and ${b!.dtype}`);
      return [{ shape: broadcast(a!.shape, b!.shape), dtype: to ?? a!.dtype }];
    },
    lower(emit, { a, b }, _, [output]) {
      const folded =
        a!.everywhere !== undefined && b!.everywhere !== undefined ? fold?.(a!.everywhere, b!.everywhere) : undefined;
      if (folded !== undefined) {
        const value = typeof folded === "number" && output!.dtype === "float32" ? Math.fround(folded) : folded;
        return [{ ...output!, everywhere: value }];
      }
      if (neutral?.right !== undefined && b!.everywhere === neutral.right) return [stretch(a!, output!)];
      if (neutral?.left !== undefined && a!.everywhere === neutral.left) return [stretch(b!, output!)];
      const name =
        typeof write === "string"
          ? emit.node(write, [emit.small(a!), emit.small(b!)])
          : write(emit, emit.small(a!), emit.small(b!), a!.dtype);
      return [stretch({ ...output!, shape: smallShape(a!, b!), name }, output!)];
    },
  };
}

interface UnaryOptions {
  /** Types that are taken. @default float32 */
  readonly from?: readonly Dtype[];
  /** Type in which it is computed, when not that of `x`. */
  readonly as?: Dtype;
  /** Type of the result, when not that in which it is computed. */
  readonly to?: Dtype;
}

/** An elementwise kernel of one input: of a stretched operand only the small one is computed. */
function unary(
  write: string | ((emit: Emitter, x: string, attrs: Attrs, dtype: Dtype) => string),
  { from = ["float32"], as, to }: UnaryOptions = {},
): Kernel {
  return {
    infer({ x }) {
      takes(x!, ...from);
      return [{ shape: x!.shape, dtype: to ?? as ?? x!.dtype }];
    },
    lower(emit, { x }, attrs, [output]) {
      const input = casted(emit, x!, as ?? x!.dtype);
      const small = input.everywhere !== undefined ? { ...input, shape: [] } : (input.stretched ?? input);
      const value = emit.small(small);
      const name = typeof write === "string" ? emit.node(write, [value]) : write(emit, value, attrs, small.dtype);
      return [stretch({ shape: small.shape, dtype: output!.dtype, name }, output!)];
    },
  };
}

const numbers: readonly Dtype[] = ["float32", "int32"];
const all: readonly Dtype[] = ["float32", "int32", "bool"];
const bools: readonly Dtype[] = ["bool"];

const number =
  (fold: (a: number, b: number) => number): Fold =>
  (a, b) =>
    typeof a === "number" && typeof b === "number" ? fold(a, b) : undefined;

/** One number over another; both sides may depend on sizes as long as the divisor is one product. */
const divide: Fold = (a, b) => {
  if (typeof b === "number") return typeof a === "number" ? a / b : b === 0 ? undefined : product([a, 1 / b]);
  const [term, ...more] = b.terms;
  if (!term || more.length > 0) return undefined;
  const powers = Object.fromEntries(Object.entries(term.powers).map(([name, power]) => [name, -power]));
  return product([a, { terms: [{ times: 1 / term.times, powers }] }]);
};

const not = (emit: Emitter, x: string): string => emit.node("Not", [x]);

const power: Kernel = {
  ...binary("Pow"),
  lower(emit, inputs, attrs, outputs) {
    const { a, b } = inputs;
    const [output] = outputs;
    // Squares and roots are far cheaper than powers.
    if (b!.everywhere === 1) return [stretch(a!, output!)];
    if (a!.dtype === "float32" && a!.everywhere === undefined) {
      const small = a!.stretched ?? a!;
      const x = emit.small(a!);
      if (b!.everywhere === 2) return [stretch({ ...small, name: emit.node("Mul", [x, x]) }, output!)];
      if (b!.everywhere === 0.5) return [stretch({ ...small, name: emit.node("Sqrt", [x]) }, output!)];
    }
    return binary("Pow").lower(emit, inputs, attrs, outputs);
  },
};

/** A test of floating-point numbers, which others pass or fail throughout. */
function floatTest(write: (emit: Emitter, x: string) => string, others: 0 | 1): Kernel {
  const kernel = unary(write, { from: all, to: "bool" });
  return {
    ...kernel,
    lower: (emit, inputs, attrs, outputs) =>
      inputs.x!.dtype === "float32"
        ? kernel.lower(emit, inputs, attrs, outputs)
        : [{ ...outputs[0]!, everywhere: others }],
  };
}

const same = (names: readonly string[], options?: UnaryOptions): Record<string, Kernel> =>
  Object.fromEntries(names.map((name) => [name, unary(name, options)]));

/**
 * Kernels that work element by element.
 *
 * `Sigmoid` is within 1e-7, not within a part of itself: its logarithm is wrong below -15, take `tf.logSigmoid`.
 */
export const elementwise: Readonly<Record<string, Kernel>> = {
  ...same(["Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Elu", "Floor", "Log"]),
  ...same(["Reciprocal", "Selu", "Sigmoid", "Sin", "Sinh", "Softplus", "Sqrt", "Tan", "Tanh"]),
  ...same(["Abs", "Neg", "Relu", "Sign"], { from: numbers }),
  ...same(["Exp"], { from: all, as: "float32" }),
  ...same(["Erf"], { from: numbers, as: "float32" }),
  Add: binary("Add", { fold: (a, b) => sum([a, b]), neutral: { left: 0, right: 0 } }),
  Sub: binary("Sub", { fold: (a, b) => sum([a, product([b, -1])]), neutral: { right: 0 } }),
  Multiply: binary((emit, a, b, dtype) => emit.node(dtype === "bool" ? "And" : "Mul", [a, b]), {
    from: all,
    fold: (a, b) => product([a, b]),
    neutral: { left: 1, right: 1 },
  }),
  RealDiv: binary("Div", { from: ["float32"], fold: divide, neutral: { right: 1 } }),
  FloorDiv: binary(floorDivide, { to: "int32" }),
  Mod: binary(mod),
  Maximum: binary("Max", { fold: number(Math.max) }),
  Minimum: binary("Min", { fold: number(Math.min) }),
  Pow: power,
  Atan2: binary(atan2, { from: ["float32"] }),
  SquaredDifference: binary((emit, a, b) => {
    const difference = emit.node("Sub", [a, b]);
    return emit.node("Mul", [difference, difference]);
  }),
  Equal: binary("Equal", { from: all, to: "bool" }),
  NotEqual: binary((emit, a, b) => not(emit, emit.node("Equal", [a, b])), { from: all, to: "bool" }),
  Greater: binary(compare("Greater"), { from: all, to: "bool" }),
  GreaterEqual: binary(compare("GreaterOrEqual"), { from: all, to: "bool" }),
  Less: binary(compare("Less"), { from: all, to: "bool" }),
  LessEqual: binary(compare("LessOrEqual"), { from: all, to: "bool" }),
  LogicalAnd: binary("And", { from: bools }),
  LogicalOr: binary("Or", { from: bools }),
  LogicalNot: unary("Not", { from: bools }),
  IsNan: floatTest((emit, x) => emit.node("IsNaN", [x]), 0),
  IsInf: floatTest((emit, x) => emit.node("IsInf", [x]), 0),
  IsFinite: floatTest((emit, x) => not(emit, emit.node("Or", [emit.node("IsNaN", [x]), emit.node("IsInf", [x])])), 1),
  Round: unary((emit, x, _, dtype) => (dtype === "int32" ? x : emit.node("Round", [x])), { from: numbers }),
  Square: unary((emit, x) => emit.node("Mul", [x, x]), { from: numbers }),
  Rsqrt: unary((emit, x) => emit.node("Reciprocal", [emit.node("Sqrt", [x])])),
  Expm1: unary(expm1),
  Log1p: unary(log1p),
  Relu6: unary((emit, x, _, dtype) => emit.node("Clip", [x, emit.scalar(dtype, 0), emit.scalar(dtype, 6)]), {
    from: numbers,
  }),
  LeakyRelu: unary((emit, x, { alpha }) => emit.node("LeakyRelu", [x], { alpha: { float: alpha } }), {
    from: numbers,
    as: "float32",
  }),
  ClipByValue: unary(
    (emit, x, { clipValueMin, clipValueMax }, dtype) =>
      emit.node("Clip", [x, bound(emit, clipValueMin, dtype), bound(emit, clipValueMax, dtype)]),
    { from: numbers },
  ),
  Step: unary(
    (emit, x, { alpha }, dtype) =>
      emit.node("Where", [
        emit.node("Greater", [x, emit.scalar(dtype, 0)]),
        emit.scalar(dtype, 1),
        emit.scalar(dtype, alpha),
      ]),
    { from: numbers },
  ),
  Cast: {
    infer({ x }, { dtype }) {
      if (!all.includes(dtype)) refuse(`cannot make tensors of type ${dtype}`);
      return [{ shape: x!.shape, dtype }];
    },
    lower: (emit, { x }, { dtype }) => [casted(emit, x!, dtype)],
  },
  Prelu: {
    infer({ x, alpha }) {
      takes(x!, "float32");
      takes(alpha!, "float32");
      const shape = broadcast(x!.shape, alpha!.shape);
      if (shape.length > x!.shape.length || shape.some((size, i) => size !== x!.shape[i])) {
        refuse(`needs an alpha that broadcasts to [${x!.shape}], got [${alpha!.shape}]`, "shape");
      }
      return [x!];
    },
    lower: (emit, { x, alpha }, _, [output]) => [
      { ...output!, name: emit.node("PRelu", [emit.full(x!), emit.small(alpha!)]) },
    ],
  },
  EluGrad: {
    infer: ({ y }) => [y!],
    lower(emit, { dy, y }, _, [output]) {
      const [g, value] = [emit.full(dy!), emit.full(y!)];
      const below = emit.node("Mul", [g, emit.node("Add", [value, emit.scalar("float32", 1)])]);
      const above = emit.node("GreaterOrEqual", [value, emit.scalar("float32", 0)]);
      return [{ ...output!, name: emit.node("Where", [above, g, below]) }];
    },
  },
  AddN: {
    infer(inputs) {
      for (const input of Object.values(inputs)) takes(input, ...numbers);
      return [inputs["0"]!];
    },
    lower(emit, inputs, _, [output]) {
      const names = Object.values(inputs).map(emit.full);
      // ONNX Runtime's Sum takes no int32.
      const total =
        output!.dtype === "float32" ? emit.node("Sum", names) : names.reduce((a, b) => emit.node("Add", [a, b]));
      return [{ ...output!, name: total }];
    },
  },
};
