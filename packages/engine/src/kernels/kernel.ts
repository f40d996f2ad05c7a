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

type OnnxAttribute = number | string | readonly number[] | { readonly float: number };

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

}

/** One kernel of TensorFlow.js: its shapes, and its form in ONNX. */
export interface Kernel {
  /**
   * @param inputs by TensorFlow.js's names, all present.
   * @returns the outputs, in order.
   */
  infer(inputs: Readonly<Record<string, Shaped>>, attrs: Attrs): readonly Shaped[];
  /** @param outputs what `infer` found, with sizes that may depend on named dimensions. */
  lower(
    emit: Emitter,
    inputs: Readonly<Record<string, Operand>>,
    attrs: Attrs,
    outputs: readonly Port[],
  ): readonly Operand[];
}

/** Numbers of ONNX's TensorProto.DataType. */
export const onnxTypes = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9 } as const;

/** A non-negative axis. */
export function positive(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** The shape of an elementwise operation over two shapes that broadcast. */
export function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    return x === 1 ? y : x;
  });
}
