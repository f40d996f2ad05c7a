import { ClaraError, type ClaraErrorCode } from "@clara/core";
import type { Dtype, Port } from "../program.ts";
import type { Size } from "../size.ts";

/** A tensor while a function is traced: its sizes are numbers. */
export interface Shaped {
  readonly shape: readonly number[];
  readonly dtype: Dtype;
}

/** Attributes as TensorFlow.js passes them; each kernel has its own names and conventions. */
// biome-ignore lint/suspicious/noExplicitAny: TensorFlow.js types attributes per kernel, and not all of them.
export type Attrs = Readonly<Record<string, any>>;

/**
 * A tensor while ONNX is written. Exactly one of the three says what it is: the name of an ONNX value; one number
 * everywhere; or another operand that is stretched to this shape, which most consumers do without.
 */
export interface Operand extends Port {
  readonly name?: string;
  readonly everywhere?: Size;
  readonly stretched?: Operand;
}

export type OnnxAttribute = number | string | readonly number[] | { readonly float: number };

/** Writes ONNX nodes. Equal nodes are written once. */
export interface Emitter {
  /** Appends a node. @returns the name of its output, or of its first when there are more */
  node(op: string, inputs: readonly string[], attributes?: Readonly<Record<string, OnnxAttribute>>): string;
  /** Appends a node with several outputs. */
  nodes(
    op: string,
    inputs: readonly string[],
    count: number,
    attributes?: Readonly<Record<string, OnnxAttribute>>,
  ): string[];
  /** The ONNX value of an operand in its full shape. */
  full(operand: Operand): string;
  /** The ONNX value of an operand for a consumer that broadcasts: as small as it comes. */
  small(operand: Operand): string;
  /** An int64 vector. */
  ints(sizes: readonly Size[]): string;
  /** A scalar constant. */
  scalar(dtype: Dtype | "int64", value: Size): string;
  /** An ONNX value in another type. */
  cast(name: string, to: OnnxType): string;
  /** The bytes of a packed int32 operand, as uint8 of this shape. An initializer is declared so; others are computed. */
  bytes(operand: Operand, shape: readonly number[]): string;
  /** What the caller of `lower` decides. */
  readonly options: EmitterOptions;
}

export interface EmitterOptions {
  /** Rounds what packed weights are multiplied with to 8 bits. @default false: float32 */
  readonly roundInputs?: boolean | undefined;
}

/** One kernel of TensorFlow.js: its shapes, and its form in ONNX. */
export interface Kernel {
  /**
   * @param inputs by TensorFlow.js's names, all present.
   * @returns the outputs, in order.
   * @throws ClaraError, by `refuse`, where TensorFlow.js's own kernel would, or for what ONNX cannot say.
   */
  infer(inputs: Readonly<Record<string, Shaped>>, attrs: Attrs): readonly Shaped[];
  /** @param outputs what `infer` found, with sizes that may depend on named dimensions. */
  lower(
    emit: Emitter,
    inputs: Readonly<Record<string, Operand>>,
    attrs: Attrs,
    outputs: readonly Port[],
  ): readonly Operand[];
  /** Inputs of which only the bytes are read, by `Emitter.bytes`, with the shape that they have as uint8. */
  bytes?(attrs: Attrs): Readonly<Record<string, readonly number[]>>;
}

/** Numbers of ONNX's TensorProto.DataType. */
export const onnxTypes = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
  float64: 11,
  uint32: 12,
  uint64: 13,
} as const;
export type OnnxType = keyof typeof onnxTypes;

/** Refuses a call. What records it puts the kernel's name before the reason, and the line of code behind it. */
export function refuse(reason: string, code: ClaraErrorCode = "engine"): never {
  throw new ClaraError(code, reason);
}

/** Refuses inputs of other types than these. */
export function takes(input: Shaped, ...dtypes: readonly Dtype[]): void {
  if (!dtypes.includes(input.dtype))
    refuse(`is compiled for ${dtypes.join(" and ")} and got ${input.dtype}; use tf.cast`);
}

/** A non-negative axis. Refuses one that the shape does not have. */
export function positive(axis: number, rank: number): number {
  const at = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(at) || at < 0 || at >= rank) refuse(`has no axis ${axis} in a tensor of rank ${rank}`, "shape");
  return at;
}

/** Axes, of which there may be one or a list; all when none is given. */
export function axesOf(given: number | readonly number[] | null | undefined, rank: number): number[] {
  if (given === undefined || given === null) return Array.from({ length: rank }, (_, i) => i);
  return [given].flat().map((axis) => positive(axis, rank));
}

/** The shape of an elementwise operation over two shapes that broadcast. */
export function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) refuse(`cannot broadcast the shapes [${a}] and [${b}]`, "shape");
    return x === 1 ? y : x;
  });
}

/** TensorFlow.js's type of two types together. */
export function upcast(a: Dtype, b: Dtype): Dtype {
  const order: readonly Dtype[] = ["bool", "int32", "float32"];
  return order[Math.max(order.indexOf(a), order.indexOf(b))]!;
}

/** An operand in another type. */
export function casted(emit: Emitter, operand: Operand, dtype: Dtype): Operand {
  if (operand.dtype === dtype) return operand;
  const { shape, everywhere, stretched } = operand;
  if (stretched) return { shape, dtype, stretched: casted(emit, stretched, dtype) };
  if (everywhere === undefined) return { shape, dtype, name: emit.cast(emit.full(operand), dtype) };
  if (typeof everywhere !== "number") {
    // A size is a whole number of at least 1, unless it has been divided.
    return { shape, dtype, ...(dtype === "bool" ? { everywhere: 1 } : { everywhere }) };
  }
  const value = dtype === "bool" ? Number(everywhere !== 0) : everywhere;
  return { shape, dtype, everywhere: dtype === "int32" ? Math.trunc(value) || 0 : value };
}
