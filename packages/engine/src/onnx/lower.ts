import { ClaraError } from "@clara/core";
import { kernels } from "../kernels/index.ts";
import type { Emitter, Operand } from "../kernels/kernel.ts";
import type { Data, Dtype, Program } from "../program.ts";
import { isExpression, type Size } from "../size.ts";
import { type DataType, type Initializer, type Node, type OnnxModel, type Place, writeModel } from "./model.ts";

export interface LowerOptions {
  /** Where a weight's numbers are; undefined for a weight that is fed at each run. */
  readonly weight?: ((name: string) => Place | undefined) | undefined;
  /** Outputs to which a further input `add.<name>` is added: they can then be summed up in place. */
  readonly accumulate?: ReadonlySet<string> | undefined;
}

/** Bytes above which a constant travels beside the model instead of in it. */
const inlineBytes = 1024;

/**
 * Writes a program as ONNX. Inputs are named `in.<name>`, weights that are fed `weight.<name>`, outputs `out.<name>`.
 *
 * @throws ClaraError "engine" for a kernel that is not known here.
 */
export function lower(program: Program, { weight, accumulate }: LowerOptions = {}): OnnxModel {
  const operands = new Map<number, Operand>();
  const { emit, nodes, initializers, alias } = createEmitter(program);
  const inputs = [];
  for (const { name, value, from } of program.inputs) {
    const { shape, dtype } = program.values[value]!;
    const place = from === "weights" ? weight?.(name) : undefined;
    const label = `${from === "weights" ? "weight" : "in"}.${name}`;
    if (place) initializers.push({ name: label, type: dtype, shape: shape as readonly number[], place });
    else inputs.push({ name: label, type: dtype, shape });
    operands.set(value, { shape, dtype, name: label });
  }
  for (const { value, data } of program.constants) {
    const port = program.values[value]!;
    if ("everywhere" in data) operands.set(value, { ...port, everywhere: data.everywhere });
    else operands.set(value, { ...port, name: constant(data, port.dtype, port.shape as readonly number[], initializers) });
  }
  for (const { kernel, inputs, attrs, outputs } of program.calls) {
    const definition = kernels[kernel];
    if (!definition) throw new ClaraError("engine", `compile: the kernel ${kernel} cannot be written as ONNX`);
    const given = Object.fromEntries(Object.entries(inputs).map(([key, value]) => [key, operands.get(value)!]));
    const ports = outputs.map((value) => program.values[value]!);
    const found = definition.lower(emit, given, attrs, ports);
    outputs.forEach((value, i) => void operands.set(value, { ...found[i]!, ...ports[i]! }));
  }
  const outputs = program.outputs.map(({ name, value }) => {
    const { shape, dtype } = program.values[value]!;
    let from = emit.full(operands.get(value)!);
    if (accumulate?.has(name)) {
      inputs.push({ name: `add.${name}`, type: dtype, shape });
      from = emit.node("Add", [`add.${name}`, from]);
    }
    alias(from, `out.${name}`);
    return { name: `out.${name}`, type: dtype, shape };
  });
  return writeModel({ nodes, initializers, inputs, outputs });
}

function createEmitter(program: Program): {
  emit: Emitter;
  nodes: Node[];
  initializers: Initializer[];
  alias(from: string, to: string): void;
} {
  const nodes: Node[] = [];
  const initializers: Initializer[] = [];
  const written = new Map<string, string[]>();
  let count = 0;

  const nodesOf: Emitter["nodes"] = (op, inputs, outputs, attributes = {}) => {
    const key = JSON.stringify([op, inputs, attributes]);
    const known = written.get(key);
    if (known) return known;
    const at = op.lastIndexOf(".");
    const names = Array.from({ length: outputs }, () => `${op.slice(at + 1)}_${count++}`);
    nodes.push({ op: op.slice(at + 1), domain: op.slice(0, Math.max(0, at)), inputs, outputs: names, attributes });
    written.set(key, names);
    return names;
  };
  const node: Emitter["node"] = (op, inputs, attributes) => nodesOf(op, inputs, 1, attributes)[0]!;

  const once = (key: string, make: () => string): string => {
    const known = written.get(key);
    if (known) return known[0]!;
    const name = make();
    written.set(key, [name]);
    return name;
  };
  const initializer = (type: DataType, shape: readonly number[], data: Data | BigInt64Array): string => {
    const name = `constant_${count++}`;
    initializers.push({ name, type, shape, place: { kind: "model", data: raw(data) } });
    return name;
  };
  const ints64 = (values: readonly number[], shape: readonly number[]): string =>
    once(`int64 ${shape.length}:${values}`, () => initializer("int64", shape, BigInt64Array.from(values.map(BigInt))));

  /** A named dimension [1], from the shape of an input that has it. */
  const dimension = (name: string): string => {
    for (const { value, name: input, from } of program.inputs) {
      const axis = program.values[value]!.shape.findIndex((size) => isDimension(size, name));
      if (axis >= 0) return node("Shape", [`${from === "weights" ? "weight" : "in"}.${input}`], { start: axis, end: axis + 1 });
    }
    throw new ClaraError("engine", `compile: no input has an axis of the size ${name} alone`);
  };
  /** A size [1] in a type: whole numbers for shapes, float32 for factors such as 1/T. */
  const computed = (size: Size, type: "int64" | "float32"): string => {
    const number = (value: number): string =>
      type === "int64"
        ? ints64([value], [1])
        : once(`float32 [1] ${value}`, () => initializer("float32", [1], Float32Array.of(value)));
    if (typeof size === "number") return number(size);
    const terms = size.terms.map(({ times, powers }) => {
      let value: string | undefined = times === 1 ? undefined : number(times);
      for (const [name, power] of Object.entries(powers)) {
        const factor = type === "int64" ? dimension(name) : node("Cast", [dimension(name)], { to: 1 });
        for (let i = 0; i < Math.abs(power); i++) {
          if (power > 0) value = value === undefined ? factor : node("Mul", [value, factor]);
          else value = node("Div", [value ?? number(1), factor]);
        }
      }
      return value ?? number(1);
    });
    return terms.reduce((a, b) => node("Add", [a, b]));
  };

  const emit: Emitter = {
    node,
    nodes: nodesOf,
    full({ name, everywhere, stretched, shape, dtype }) {
      if (name !== undefined) return name;
      const [source, rank] =
        everywhere !== undefined ? [emit.scalar(dtype, everywhere), 0] : [emit.small(stretched!), 1];
      return shape.length === 0 && rank === 0 ? source : node("Expand", [source, emit.ints(shape)]);
    },
    small({ name, everywhere, stretched, dtype }) {
      return name ?? (everywhere !== undefined ? emit.scalar(dtype, everywhere) : emit.small(stretched!));
    },
    ints(sizes) {
      if (sizes.every((size) => typeof size === "number")) return ints64(sizes as readonly number[], [sizes.length]);
      const parts = sizes.map((size) => computed(size, "int64"));
      return parts.length === 1 ? parts[0]! : node("Concat", parts, { axis: 0 });
    },
    scalar(dtype, value) {
      if (typeof value === "number") {
        if (dtype === "int64") return ints64([value], []);
        return once(`${dtype} ${Object.is(value, -0) ? "-0" : value}`, () => initializer(dtype, [], arrayOf(dtype, [value])));
      }
      const type = dtype === "float32" ? "float32" : "int64";
      const squeezed = node("Squeeze", [computed(value, type)]);
      return dtype === "int32" ? node("Cast", [squeezed], { to: 6 }) : squeezed;
    },
  };
  return {
    emit,
    nodes,
    initializers,
    alias: (from, to) => void nodes.push({ op: "Identity", domain: "", inputs: [from], outputs: [to], attributes: {} }),
  };
}

function constant(data: Data, type: Dtype, shape: readonly number[], initializers: Initializer[]): string {
  const name = `array_${initializers.length}`;
  const bytes = raw(data);
  initializers.push({
    name,
    type,
    shape,
    place: { kind: bytes.length > inlineBytes ? "memory" : "model", data: bytes },
  });
  return name;
}

function isDimension(size: Size, name: string): boolean {
  if (!isExpression(size) || size.terms.length !== 1) return false;
  const { times, powers } = size.terms[0]!;
  return times === 1 && Object.keys(powers).length === 1 && powers[name] === 1;
}

function arrayOf(dtype: Dtype, values: readonly number[]): Data {
  return dtype === "int32"
    ? Int32Array.from(values)
    : dtype === "bool"
      ? Uint8Array.from(values)
      : Float32Array.from(values);
}

function raw(data: Data | BigInt64Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
