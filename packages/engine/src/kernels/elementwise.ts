import type { Dtype } from "../program.ts";
import { product, sameShape, type Size, sum } from "../size.ts";
import { type Attrs, broadcast, type Emitter, type Kernel, type Operand, onnxTypes } from "./kernel.ts";

type Write = (emit: Emitter, a: string, b: string, dtype: Dtype) => string;

/** How two constants combine without a node; undefined where it depends on a size that cannot be written down. */
type Fold = (a: Size, b: Size) => Size | undefined;

/**
 * An elementwise kernel of inputs `a` and `b`, which broadcast. Operands stay as small as they come: the gradient of a
 * mean is one number, not a tensor of them.
 */
function binary(write: Write | string, { to, fold, neutral }: { to?: Dtype; fold?: Fold; neutral?: Neutral } = {}): Kernel {
  return {
    infer: ({ a, b }) => [{ shape: broadcast(a!.shape, b!.shape), dtype: to ?? a!.dtype }],
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

/** The number that leaves the other operand as it is, on either side. */
interface Neutral {
  readonly left?: number;
  readonly right?: number;
}

/** `operand` in the shape of `output`, by stretching it where it is smaller. */
export function stretch(operand: Operand, output: { shape: readonly Size[]; dtype: Dtype }): Operand {
  if (sameShape(operand.shape, output.shape)) return { ...operand, dtype: output.dtype };
  if (operand.everywhere !== undefined) return { ...output, everywhere: operand.everywhere };
  return { ...output, stretched: operand.stretched ?? operand };
}

function smallShape(a: Operand, b: Operand): readonly Size[] {
  const shape = (operand: Operand): readonly Size[] =>
    operand.everywhere !== undefined ? [] : (operand.stretched ?? operand).shape;
  const [x, y] = [shape(a), shape(b)];
  const rank = Math.max(x.length, y.length);
  return Array.from({ length: rank }, (_, i) => {
    const size = x[x.length - rank + i] ?? 1;
    return size === 1 ? (y[y.length - rank + i] ?? 1) : size;
  });
}

/** An elementwise kernel of one input: of a stretched operand only the small one is computed. */
function unary(
  write: string | ((emit: Emitter, x: string, attrs: Attrs, dtype: Dtype) => string),
  { to }: { to?: Dtype | ((attrs: Attrs) => Dtype) } = {},
): Kernel {
  const name = (emit: Emitter, x: string, attrs: Attrs, dtype: Dtype): string =>
    typeof write === "string" ? emit.node(write, [x]) : write(emit, x, attrs, dtype);
  return {
    infer: ({ x }, attrs) => [{ shape: x!.shape, dtype: (typeof to === "function" ? to(attrs) : to) ?? x!.dtype }],
    lower(emit, { x }, attrs, [output]) {
      const small = x!.everywhere !== undefined ? { ...x!, shape: [] } : (x!.stretched ?? x!);
      return [
        stretch({ shape: small.shape, dtype: output!.dtype, name: name(emit, emit.small(x!), attrs, x!.dtype) }, output!),
      ];
    },
  };
}

const number = (fold: (a: number, b: number) => number): Fold => (a, b) =>
  typeof a === "number" && typeof b === "number" ? fold(a, b) : undefined;

/** One number over another; both sides may depend on sizes as long as the divisor is one product. */
const divide: Fold = (a, b) => {
  if (typeof b === "number") return typeof a === "number" ? a / b : product([a, 1 / b]);
  const [term, ...more] = b.terms;
  if (!term || more.length > 0) return undefined;
  const powers = Object.fromEntries(Object.entries(term.powers).map(([name, power]) => [name, -power]));
  return product([a, { terms: [{ times: 1 / term.times, powers }] }]);
};

const constant = (emit: Emitter, value: number): string => emit.scalar("float32", value);

/** The remainder with the divisor's sign; ONNX has C's, with the dividend's. */
const mod: Write = (emit, a, b, dtype) => {
  if (dtype === "int32") return emit.node("Mod", [a, b]);
  const remainder = (x: string): string => emit.node("Mod", [x, b], { fmod: 1 });
  const zero = constant(emit, 0);
  const sameSign = emit.node("Equal", [emit.node("Less", [a, zero]), emit.node("Less", [b, zero])]);
  return emit.node("Where", [sameSign, remainder(a), remainder(emit.node("Add", [remainder(a), b]))]);
};

/** In double precision: exact, and a division by zero is a number instead of the end of the process. */
const floorDivide: Write = (emit, a, b, dtype) => {
  if (dtype === "float32") return emit.node("Floor", [emit.node("Div", [a, b])]);
  const wide = (x: string): string => emit.node("Cast", [x], { to: 11 });
  const quotient = emit.node("Floor", [emit.node("Div", [wide(a), wide(b)])]);
  const zero = emit.scalar("int32", 0);
  return emit.node("Where", [
    emit.node("Equal", [b, zero]),
    zero,
    emit.node("Cast", [quotient], { to: onnxTypes.int32 }),
  ]);
};

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

/** `exp(x) - 1`, also near 0, where the difference would lose its digits. */
function expm1(emit: Emitter, x: string): string {
  const [half, one] = [constant(emit, 0.5), constant(emit, 1)];
  const t = emit.node("Tanh", [emit.node("Mul", [x, half])]);
  const near = emit.node("Div", [emit.node("Add", [t, t]), emit.node("Sub", [one, t])]);
  const far = emit.node("Sub", [emit.node("Exp", [x]), one]);
  return emit.node("Where", [emit.node("Less", [emit.node("Abs", [x]), one]), near, far]);
}

/** `log(1 + x)`, also near 0. */
function log1p(emit: Emitter, x: string): string {
  const [half, one, two] = [constant(emit, 0.5), constant(emit, 1), constant(emit, 2)];
  const a = emit.node("Atanh", [emit.node("Div", [x, emit.node("Add", [x, two])])]);
  const far = emit.node("Log", [emit.node("Add", [x, one])]);
  return emit.node("Where", [emit.node("Less", [emit.node("Abs", [x]), half]), emit.node("Add", [a, a]), far]);
}

const same = Object.fromEntries(
  [
    ["Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Elu", "Erf", "Exp", "Floor"],
    ["Log", "Neg", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Sqrt", "Tan"],
    ["Tanh"],
  ]
    .flat()
    .map((name) => [name, unary(name)]),
);

const not = (emit: Emitter, x: string): string => emit.node("Not", [x]);

/** Kernels that work element by element. */
export const elementwise: Readonly<Record<string, Kernel>> = {
  ...same,
  Add: binary("Add", { fold: (a, b) => sum([a, b]), neutral: { left: 0, right: 0 } }),
  Sub: binary("Sub", { fold: (a, b) => sum([a, product([b, -1])]), neutral: { right: 0 } }),
  Multiply: binary("Mul", { fold: (a, b) => product([a, b]), neutral: { left: 1, right: 1 } }),
  RealDiv: binary("Div", { fold: divide, neutral: { right: 1 } }),
  FloorDiv: binary(floorDivide),
  Mod: binary(mod),
  Maximum: binary("Max", { fold: number(Math.max) }),
  Minimum: binary("Min", { fold: number(Math.min) }),
  Pow: power,
  SquaredDifference: binary((emit, a, b) => {
    const difference = emit.node("Sub", [a, b]);
    return emit.node("Mul", [difference, difference]);
  }),
  Equal: binary("Equal", { to: "bool" }),
  NotEqual: binary((emit, a, b) => not(emit, emit.node("Equal", [a, b])), { to: "bool" }),
  Greater: binary("Greater", { to: "bool" }),
  GreaterEqual: binary("GreaterOrEqual", { to: "bool" }),
  Less: binary("Less", { to: "bool" }),
  LessEqual: binary("LessOrEqual", { to: "bool" }),
  LogicalAnd: binary("And", { to: "bool" }),
  LogicalOr: binary("Or", { to: "bool" }),
  LogicalXor: binary("Xor", { to: "bool" }),
  LogicalNot: unary("Not", { to: "bool" }),
  IsNan: unary("IsNaN", { to: "bool" }),
  IsInf: unary("IsInf", { to: "bool" }),
  IsFinite: unary((emit, x) => not(emit, emit.node("Or", [emit.node("IsNaN", [x]), emit.node("IsInf", [x])])), {
    to: "bool",
  }),
  Square: unary((emit, x) => emit.node("Mul", [x, x])),
  Rsqrt: unary((emit, x) => emit.node("Reciprocal", [emit.node("Sqrt", [x])])),
  Expm1: unary(expm1),
  Log1p: unary(log1p),
  Relu6: unary((emit, x) => emit.node("Clip", [x, constant(emit, 0), constant(emit, 6)])),
  LeakyRelu: unary((emit, x, { alpha }) => emit.node("LeakyRelu", [x], { alpha: { float: alpha } })),
  ClipByValue: unary((emit, x, { clipValueMin, clipValueMax }, dtype) =>
    emit.node("Clip", [x, emit.scalar(dtype, clipValueMin), emit.scalar(dtype, clipValueMax)]),
  ),
  Step: unary((emit, x, { alpha }) =>
    emit.node("Where", [
      emit.node("Greater", [x, constant(emit, 0)]),
      constant(emit, 1),
      constant(emit, Number.isFinite(alpha) ? alpha : 0),
    ]),
  ),
  Cast: {
    ...unary((emit, x, { dtype }) => emit.node("Cast", [x], { to: onnxTypes[dtype as Dtype] }), {
      to: ({ dtype }) => dtype,
    }),
    lower(emit, inputs, attrs, outputs) {
      const x = inputs.x!;
      if (x.dtype === attrs.dtype) return [x];
      if (typeof x.everywhere === "number") {
        const value = attrs.dtype === "bool" ? Number(x.everywhere !== 0) : x.everywhere;
        return [{ ...outputs[0]!, everywhere: attrs.dtype === "int32" ? Math.trunc(value) : value }];
      }
      if (x.everywhere !== undefined) return [{ ...outputs[0]!, everywhere: x.everywhere }];
      return unary((emit, x, { dtype }) => emit.node("Cast", [x], { to: onnxTypes[dtype as Dtype] })).lower(
        emit,
        inputs,
        attrs,
        outputs,
      );
    },
  },
  Prelu: {
    infer: ({ x }) => [x!],
    lower: (emit, { x, alpha }, _, [output]) => [
      { ...output!, name: emit.node("PRelu", [emit.full(x!), emit.small(alpha!)]) },
    ],
  },
  EluGrad: {
    infer: ({ y }) => [y!],
    lower(emit, { dy, y }, _, [output]) {
      const [g, value] = [emit.full(dy!), emit.full(y!)];
      const below = emit.node("Mul", [g, emit.node("Add", [value, constant(emit, 1)])]);
      const above = emit.node("GreaterOrEqual", [value, constant(emit, 0)]);
      return [{ ...output!, name: emit.node("Where", [above, g, below]) }];
    },
  },
  AddN: {
    infer: (inputs) => [inputs["0"]!],
    lower: (emit, inputs, _, [output]) => [
      { ...output!, name: emit.node("Sum", Object.values(inputs).map(emit.full)) },
    ],
  },
};
