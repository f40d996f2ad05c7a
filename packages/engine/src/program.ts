import type { Size } from "./size.ts";

export type Dtype = "float32" | "int32" | "bool";
export type Data = Float32Array | Int32Array | Uint8Array;

/** Shape and type of a tensor; sizes may depend on named dimensions. */
export interface Port {
  readonly shape: readonly Size[];
  readonly dtype: Dtype;
}

/** One call of a TensorFlow.js kernel. Inputs and outputs are indices into `Program.values`. */
export interface Call {
  readonly kernel: string;
  /** By TensorFlow.js's names; kernels that take a list have the names "0", "1", … */
  readonly inputs: Readonly<Record<string, number>>;
  /** JSON, with a `Size` wherever a number depends on the named dimensions. */
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly outputs: readonly number[];
}

/** A constant: an array, or one number everywhere (then also where the shape is not known yet). */
export interface Constant {
  readonly value: number;
  readonly data: Data | { readonly everywhere: Size };
}

/** Where a value comes from outside: at each call, or from a store of weights. */
export interface Input {
  readonly name: string;
  readonly value: number;
  readonly from: "call" | "weights";
}

/**
 * What a TensorFlow.js function does, as plain data: the kernels that it calls, in order. It can be sent to another
 * thread, hashed, written as ONNX, or called again.
 */
export interface Program {
  readonly values: readonly Port[];
  readonly inputs: readonly Input[];
  readonly constants: readonly Constant[];
  readonly calls: readonly Call[];
  readonly outputs: readonly { readonly name: string; readonly value: number }[];
}

/** Leaves out what no output needs. */
export function prune(program: Program): Program {
  const needed = new Set(program.outputs.map(({ value }) => value));
  const calls = program.calls.toReversed().filter(({ inputs, outputs }) => {
    if (!outputs.some((value) => needed.has(value))) return false;
    for (const value of Object.values(inputs)) needed.add(value);
    return true;
  });
  return {
    ...program,
    calls: calls.toReversed(),
    constants: program.constants.filter(({ value }) => needed.has(value)),
    // Inputs of calls stay, used or not: the caller gives them. A weight that nothing reads is not bound.
    inputs: program.inputs.filter(({ value, from }) => from === "call" || needed.has(value)),
  };
}
