import { ClaraError } from "@clara/core";
import { kernels } from "../kernels/index.ts";
import type { EmitterOptions, Operand } from "../kernels/kernel.ts";
import type { Program } from "../program.ts";
import { createEmitter, raw } from "./emitter.ts";
import { type OnnxModel, type Place, writeModel } from "./model.ts";

export interface LowerOptions {
  /** Where a weight's numbers are; undefined for a weight that is fed at each run. */
  readonly weight?: ((name: string) => Place | undefined) | undefined;
  /** Outputs to which a further input `add.<name>` is added: they can then be summed up in place. */
  readonly accumulate?: ReadonlySet<string> | undefined;
  /** How `matMulNBits` multiplies. @see EmitterOptions */
  readonly roundInputs?: EmitterOptions["roundInputs"];
}

/** Bytes above which a constant travels beside the model instead of in it. */
const inlineBytes = 1024;

/**
 * Writes a program as ONNX. Inputs are named `in.<name>`, weights that are fed `weight.<name>`, outputs `out.<name>`.
 *
 * @throws ClaraError "engine" for a kernel that is not known here.
 */
export function lower(program: Program, { weight, accumulate, roundInputs }: LowerOptions = {}): OnnxModel {
  const operands = new Map<number, Operand>();
  const packed = packedValues(program);
  const { emit, initializers, alias, finish } = createEmitter(program, { roundInputs });
  const inputs = [];
  // An int32 array that is read as bytes is declared as what it holds.
  const initialize = (value: number, name: string, place: Place): void => {
    const { dtype, shape } = program.values[value]!;
    const bytes = packed.get(value);
    initializers.push({ name, place, type: bytes ? "uint8" : dtype, shape: bytes ?? (shape as readonly number[]) });
  };
  for (const { name, value, from } of program.inputs) {
    const { shape, dtype } = program.values[value]!;
    const place = from === "weights" ? weight?.(name) : undefined;
    const label = `${from === "weights" ? "weight" : "in"}.${name}`;
    if (place) initialize(value, label, place);
    else inputs.push({ name: label, type: dtype, shape });
    operands.set(value, { shape, dtype, name: label });
  }
  for (const { value, data } of program.constants) {
    const port = program.values[value]!;
    if ("everywhere" in data) {
      operands.set(value, { ...port, everywhere: data.everywhere });
      continue;
    }
    const name = `array_${initializers.length}`;
    const bytes = raw(data);
    initialize(value, name, { kind: bytes.length > inlineBytes ? "memory" : "model", data: bytes });
    operands.set(value, { ...port, name });
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
  return writeModel({ nodes: finish(), initializers, inputs, outputs });
}

/** Values of which only the bytes are read, with the shape that they have as uint8. */
function packedValues({ calls, outputs }: Program): Map<number, readonly number[]> {
  const packed = new Map<number, readonly number[]>();
  // TensorFlow.js keeps clones for gradients: reading one is reading the original.
  const originals = new Map<number, number>();
  const original = (value: number): number => originals.get(value) ?? value;
  const others = new Set<number>();
  for (const { kernel, attrs, inputs, outputs } of calls) {
    if (kernel === "Identity") {
      originals.set(outputs[0]!, original(inputs.x!));
      continue;
    }
    const shapes = kernels[kernel]?.bytes?.(attrs) ?? {};
    for (const [name, value] of Object.entries(inputs)) {
      if (shapes[name]) packed.set(original(value), shapes[name]);
      else others.add(original(value));
    }
  }
  for (const { value } of outputs) others.add(original(value));
  for (const value of others) packed.delete(value);
  return packed;
}
