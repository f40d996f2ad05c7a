import { ClaraError } from "@clara/core";
import type { Attrs, Kernel, Shaped } from "../kernels/kernel.ts";
import type { Call, Constant, Data, Dtype } from "../program.ts";
import { callSite } from "./call-site.ts";

/** What a function has done so far: values by number, and the calls between them. */
export interface Recording {
  readonly values: {
    /** Adds a value. @returns its number */
    add(shape: readonly number[], dtype: Dtype): number;
    at(id: number): Shaped;
    all(): readonly Shaped[];
    bind(dataId: object, id: number): void;
    idOf(dataId: object): number | undefined;
  };
  readonly calls: Call[];
  readonly constants: Constant[];
  call(
    name: string,
    kernel: Kernel,
    inputs: Readonly<Record<string, number>>,
    attrs: Attrs,
    shapes: Readonly<Record<string, Shaped>>,
  ): readonly number[];
  /** @param data the numbers, or one that is everywhere */
  constant(dataId: object, data: Data | number, shape: readonly number[], dtype: Dtype): number;
  /** The numbers of a constant; undefined for a value that is computed. */
  dataOf(dataId: object): Data | undefined;
}

export function createRecording(): Recording {
  const shapes: Shaped[] = [];
  const ids = new WeakMap<object, number>();
  const calls: Call[] = [];
  const constants: Constant[] = [];
  const constantAt = new Map<number, Constant>();
  const add = (shape: readonly number[], dtype: Dtype): number => shapes.push({ shape: shape.map(Number), dtype }) - 1;

  return {
    calls,
    constants,
    values: {
      add,
      at: (id) => shapes[id]!,
      all: () => shapes,
      bind: (dataId, id) => void ids.set(dataId, id),
      idOf: (dataId) => ids.get(dataId),
    },
    call(name, kernel, inputs, attrs, given) {
      // The shape of a tensor is its own: a reshaped tensor may share another's data.
      const seen = Object.fromEntries(
        Object.keys(inputs).map((key) => [key, { shape: given[key]!.shape, dtype: shapes[inputs[key]!]!.dtype }]),
      );
      let found: readonly Shaped[];
      try {
        found = kernel.infer(seen, attrs);
      } catch (error) {
        if (!(error instanceof ClaraError)) throw error;
        const text = `compile: the TensorFlow.js kernel ${name} ${error.message}${callSite()}`;
        throw new ClaraError(error.code, text, { cause: error });
      }
      const outputs = found.map(({ shape, dtype }) => add(shape, dtype));
      calls.push({ kernel: name, inputs, attrs: plain(attrs) as Attrs, outputs });
      return outputs;
    },
    constant(dataId, data, shape, dtype) {
      const value = add(shape, dtype);
      const constant: Constant = { value, data: typeof data === "number" ? { everywhere: data } : data };
      constants.push(constant);
      constantAt.set(value, constant);
      ids.set(dataId, value);
      return value;
    },
    dataOf(dataId) {
      const id = ids.get(dataId);
      const constant = id === undefined ? undefined : constantAt.get(id);
      if (!constant) return undefined;
      const { data } = constant;
      if (!("everywhere" in data)) return data;
      const { shape, dtype } = shapes[id!]!;
      const size = shape.reduce((a, b) => a * b, 1);
      const array = dtype === "int32" ? Int32Array : dtype === "bool" ? Uint8Array : Float32Array;
      return new array(size).fill(data.everywhere as number);
    },
  };
}

/** Attributes as JSON: typed arrays become lists, what is undefined is left out. */
function plain(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number>);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, part]) => part !== undefined && typeof part !== "function")
        .map(([key, part]) => [key, plain(part)]),
    );
  }
  return value;
}
