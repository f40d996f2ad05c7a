import type { Dtype } from "../program.ts";
import type { Size } from "../size.ts";
import type { Emitter } from "./kernel.ts";

/** Writes what an elementwise kernel computes, by the names of its operands and their type. */
export type Write = (emit: Emitter, a: string, b: string, dtype: Dtype) => string;

const constant = (emit: Emitter, value: number): string => emit.scalar("float32", value);

/** The remainder with the divisor's sign. In double precision, as TensorFlow.js has it; by 0 it is NaN, which as int32 is 0. */
export const mod: Write = (emit, a, b, dtype) => {
  if (dtype === "int32") {
    // A division by zero would end the process.
    const zero = emit.scalar("int32", 0);
    const none = emit.node("Equal", [b, zero]);
    const divisor = emit.node("Where", [none, emit.scalar("int32", 1), b]);
    return emit.node("Where", [none, zero, emit.node("Mod", [a, divisor])]);
  }
  const [x, y] = [emit.cast(a, "float64"), emit.cast(b, "float64")];
  // ONNX has C's remainder, with the sign of the dividend.
  const remainder = (of: string): string => emit.node("Mod", [of, y], { fmod: 1 });
  const zero = constant(emit, 0);
  const sameSign = emit.node("Equal", [emit.node("Less", [a, zero]), emit.node("Less", [b, zero])]);
  return emit.cast(
    emit.node("Where", [sameSign, remainder(x), remainder(emit.node("Add", [remainder(x), y]))]),
    "float32",
  );
};

/** In double precision, so that whole numbers stay whole; a division by zero is 0 instead of the end of the process. */
export const floorDivide: Write = (emit, a, b, dtype) => {
  const quotient = emit.node("Floor", [emit.node("Div", [emit.cast(a, "float64"), emit.cast(b, "float64")])]);
  const none = emit.node("Equal", [b, emit.scalar(dtype, 0)]);
  return emit.node("Where", [none, emit.scalar("int32", 0), emit.cast(quotient, "int32")]);
};

/** Comparisons of ONNX do not take truth values; as numbers they do. */
export const compare =
  (op: string): Write =>
  (emit, a, b, dtype) =>
    emit.node(op, dtype === "bool" ? [emit.cast(a, "int32"), emit.cast(b, "int32")] : [a, b]);

/** The angle of the point (b, a), by that of (|b|, a). */
export const atan2: Write = (emit, a, b) => {
  const angle = emit.node("Atan", [emit.node("Div", [a, emit.node("Abs", [b])])]);
  const zero = constant(emit, 0);
  const half = emit.node("Where", [emit.node("Less", [a, zero]), constant(emit, -Math.PI), constant(emit, Math.PI)]);
  const turned = emit.node("Where", [emit.node("Less", [b, zero]), emit.node("Sub", [half, angle]), angle]);
  const origin = emit.node("And", [emit.node("Equal", [a, zero]), emit.node("Equal", [b, zero])]);
  return emit.node("Where", [origin, zero, turned]);
};

/** `exp(x) - 1`, also near 0, where the difference would lose its digits. */
export function expm1(emit: Emitter, x: string): string {
  const [half, one] = [constant(emit, 0.5), constant(emit, 1)];
  const t = emit.node("Tanh", [emit.node("Mul", [x, half])]);
  const near = emit.node("Div", [emit.node("Add", [t, t]), emit.node("Sub", [one, t])]);
  const far = emit.node("Sub", [emit.node("Exp", [x]), one]);
  return emit.node("Where", [emit.node("Less", [emit.node("Abs", [x]), one]), near, far]);
}

/** `log(1 + x)`, also near 0. */
export function log1p(emit: Emitter, x: string): string {
  const [half, one, two] = [constant(emit, 0.5), constant(emit, 1), constant(emit, 2)];
  const a = emit.node("Atanh", [emit.node("Div", [x, emit.node("Add", [x, two])])]);
  const far = emit.node("Log", [emit.node("Add", [x, one])]);
  return emit.node("Where", [emit.node("Less", [emit.node("Abs", [x]), half]), emit.node("Add", [a, a]), far]);
}

const int32 = { least: -(2 ** 31), most: 2 ** 31 - 1 };

/** A bound of type `dtype`: an infinite one does not fit into an int32. */
export const bound = (emit: Emitter, value: Size, dtype: Dtype): string =>
  emit.scalar(
    dtype,
    dtype === "int32" && typeof value === "number" ? Math.min(int32.most, Math.max(int32.least, value)) : value,
  );
