import { ClaraError } from "@clara/core";
import { type Emitter, type EmitterOptions, type OnnxAttribute, type OnnxType, onnxTypes } from "../kernels/kernel.ts";
import type { Data, Dtype, Program } from "../program.ts";
import { isExpression, type Size, text } from "../size.ts";
import type { Initializer, Node } from "./model.ts";

/** A graph being written. */
export interface Writing {
  readonly emit: Emitter;
  readonly initializers: Initializer[];
  /** Asks for a value under a further name. */
  alias(from: string, to: string): void;
  /** The nodes, with every name that was asked for. */
  finish(): Node[];
}

/** @param program whose inputs the sizes of named dimensions are read from */
export function createEmitter(program: Program, options: EmitterOptions): Writing {
  const nodes: Node[] = [];
  const initializers: Initializer[] = [];
  const written = new Map<string, string[]>();
  let count = 0;

  const nodesOf: Emitter["nodes"] = (op, inputs, outputs, attributes = {}) => {
    const key = `${op}(${inputs}) ${Object.entries(attributes).map(([name, value]) => `${name}=${keyOf(value)}`)}`;
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
  const initializer = (type: OnnxType, shape: readonly number[], data: Data | BigInt64Array): string => {
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
      if (axis >= 0)
        return node("Shape", [`${from === "weights" ? "weight" : "in"}.${input}`], { start: axis, end: axis + 1 });
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
      if (type === "int64" && !(Number.isInteger(times) && Object.values(powers).every((power) => power > 0))) {
        throw new ClaraError(
          "engine",
          `compile: a size would be ${text(size)}, which is not a whole number at every size`,
        );
      }
      let value: string | undefined = times === 1 ? undefined : number(times);
      for (const [name, power] of Object.entries(powers)) {
        const factor = type === "int64" ? dimension(name) : emit.cast(dimension(name), "float32");
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
    options,
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
        return once(`${dtype} ${Object.is(value, -0) ? "-0" : value}`, () =>
          initializer(dtype, [], arrayOf(dtype, [value])),
        );
      }
      const type = dtype === "float32" ? "float32" : "int64";
      const squeezed = node("Squeeze", [computed(value, type)]);
      return dtype === "int32" ? emit.cast(squeezed, "int32") : squeezed;
    },
    cast: (name, to) => node("Cast", [name], { to: onnxTypes[to] }),
    bytes(operand, shape) {
      const name = emit.full(operand);
      const declared = initializers.find((one) => one.name === name);
      if (declared?.type === "uint8") return name;
      // ONNX has no other look at a tensor's bytes: shift each to the end and cut it off.
      const uint32 = (values: readonly number[]): string => emit.cast(emit.ints(values), "uint32");
      const words = node("Unsqueeze", [emit.cast(name, "uint32"), emit.ints([-1])]);
      const shifted = node("BitShift", [words, uint32([0, 8, 16, 24])], { direction: "RIGHT" });
      const each = emit.cast(node("BitwiseAnd", [shifted, uint32([255])]), "uint8");
      return node("Reshape", [each, emit.ints(shape)]);
    },
  };
  const asked: { from: string; to: string }[] = [];
  return {
    emit,
    initializers,
    alias: (from, to) => void asked.push({ from, to }),
    finish() {
      const made = new Set(nodes.flatMap(({ outputs }) => outputs));
      const renamed = new Map<string, string>();
      const copies: Node[] = [];
      for (const { from, to } of asked) {
        // A copy only where a value has two names, or no node makes it: ONNX Runtime would really copy.
        if (made.has(from) && !renamed.has(from)) renamed.set(from, to);
        else copies.push({ op: "Identity", domain: "", inputs: [from], outputs: [to], attributes: {} });
      }
      const rename = (name: string): string => renamed.get(name) ?? name;
      return [...nodes, ...copies].map((node) => ({
        ...node,
        inputs: node.inputs.map(rename),
        outputs: node.outputs.map(rename),
      }));
    },
  };
}

/** Unlike JSON, this has infinities. */
function keyOf(value: OnnxAttribute): string {
  return typeof value === "object" && "float" in value ? `${value.float}` : JSON.stringify(value);
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

export function raw(data: Data | BigInt64Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
