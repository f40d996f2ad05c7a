import type { Port } from "../program.ts";
import { sameShape } from "../size.ts";
import { casted, type Emitter, type Kernel, type Operand, positive, refuse, type Shaped } from "./kernel.ts";
import { stretch } from "./stretch.ts";

/** The same numbers under another shape. */
export function reshaped(emit: Emitter, x: Operand, output: Port): Operand {
  if (x.everywhere !== undefined) return { ...output, everywhere: x.everywhere };
  if (sameShape(x.shape, output.shape)) return x;
  // Without `allowzero` a size of 0 would stand for the input's.
  const flags = output.shape.includes(0) ? { allowzero: 1 } : {};
  return { ...output, name: emit.node("Reshape", [emit.full(x), emit.ints(output.shape)], flags) };
}

/** A shape with a size of 1 put in. */
function inserted(shape: readonly number[], axis: number): number[] {
  return shape.toSpliced(positive(axis, shape.length + 1), 0, 1);
}

const list = (value: unknown): number[] => [value].flat() as number[];
const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Inputs of a kernel that takes a list, all in the type of the first. */
function alike(emit: Emitter, inputs: Readonly<Record<string, Operand>>): Operand[] {
  const all = Object.values(inputs);
  return all.map((one) => casted(emit, one, all[0]!.dtype));
}

function sameRest(shapes: readonly Shaped[], at: number): void {
  const [first] = shapes;
  const rest = ({ shape }: Shaped): string => `${shape.toSpliced(at, 1)} of ${shape.length}`;
  const other = shapes.find((one) => rest(one) !== rest(first!));
  if (other) refuse(`cannot join the shapes [${first!.shape}] and [${other.shape}] along axis ${at}`, "shape");
}

/** Kernels that move numbers without changing them. */
export const shape: Readonly<Record<string, Kernel>> = {
  Identity: { infer: ({ x }) => [x!], lower: (_, { x }) => [x!] },
  Reshape: {
    infer({ x }, { shape }) {
      const asked = shape as number[];
      const size = sizeOf(x!.shape);
      const known = sizeOf(asked.filter((one) => one !== -1));
      const found = asked.map((one) => (one === -1 ? size / known : one));
      if (sizeOf(found) !== size || !found.every(Number.isInteger)) {
        refuse(`cannot put [${x!.shape}] into the shape [${asked}]`, "shape");
      }
      return [{ shape: found, dtype: x!.dtype }];
    },
    lower: (emit, { x }, _, [output]) => [reshaped(emit, x!, output!)],
  },
  ExpandDims: {
    infer: ({ input }, { dim }) => [{ shape: inserted(input!.shape, dim), dtype: input!.dtype }],
    lower: (emit, { input }, _, [output]) => [reshaped(emit, input!, output!)],
  },
  Transpose: {
    infer: ({ x }, { perm }) => [{ shape: list(perm).map((axis) => x!.shape[axis]!), dtype: x!.dtype }],
    lower(emit, { x }, { perm }, [output]) {
      if (x!.everywhere !== undefined) return [{ ...output!, everywhere: x!.everywhere }];
      // TensorFlow.js's gradient of gather turns the whole table over, by the order that it has.
      if (list(perm).every((axis, i) => axis === i)) return [x!];
      return [{ ...output!, name: emit.node("Transpose", [emit.full(x!)], { perm: list(perm) }) }];
    },
  },
  Tile: {
    infer: ({ x }, { reps }) => [{ shape: x!.shape.map((size, i) => size * reps[i]), dtype: x!.dtype }],
    lower(emit, { x }, { reps }, [output]) {
      if (x!.shape.every((size, i) => size === 1 || reps[i] === 1)) return [stretch(x!, output!)];
      return [{ ...output!, name: emit.node("Tile", [emit.full(x!), emit.ints(reps)]) }];
    },
  },
  Concat: {
    infer(inputs, { axis }) {
      const all = Object.values(inputs);
      const at = positive(axis, all[0]!.shape.length);
      sameRest(all, at);
      const total = all.reduce((size, { shape }) => size + shape[at]!, 0);
      return [{ shape: all[0]!.shape.with(at, total), dtype: all[0]!.dtype }];
    },
    lower(emit, inputs, { axis }, [output]) {
      const parts = alike(emit, inputs).map(emit.full);
      return [{ ...output!, name: emit.node("Concat", parts, { axis: positive(axis, output!.shape.length) }) }];
    },
  },
  Pack: {
    infer(inputs, { axis }) {
      const all = Object.values(inputs);
      const shape = inserted(all[0]!.shape, axis);
      const at = positive(axis, shape.length);
      const other = all.find((one) => `${one.shape}` !== `${all[0]!.shape}`);
      if (other) refuse(`cannot stack the shapes [${all[0]!.shape}] and [${other.shape}]`, "shape");
      return [{ shape: shape.with(at, all.length), dtype: all[0]!.dtype }];
    },
    lower(emit, inputs, { axis }, [output]) {
      const at = positive(axis, output!.shape.length);
      const parts = alike(emit, inputs).map((x) => emit.node("Unsqueeze", [emit.full(x), emit.ints([at])]));
      return [{ ...output!, name: emit.node("Concat", parts, { axis: at }) }];
    },
  },
  Unpack: {
    infer({ value }, { axis }) {
      const at = positive(axis, value!.shape.length);
      const shape = value!.shape.toSpliced(at, 1);
      return Array.from({ length: value!.shape[at]! }, () => ({ shape, dtype: value!.dtype }));
    },
    lower(emit, { value }, { axis }, outputs) {
      const at = positive(axis, value!.shape.length);
      const sizes = emit.ints(outputs.map(() => 1));
      const parts = emit.nodes("Split", [emit.full(value!), sizes], outputs.length, { axis: at });
      return outputs.map((output, i) => ({ ...output, name: emit.node("Squeeze", [parts[i]!, emit.ints([at])]) }));
    },
  },
  SplitV: {
    infer({ x }, { numOrSizeSplits, axis }) {
      const at = positive(axis, x!.shape.length);
      const total = x!.shape[at]!;
      const count = numOrSizeSplits as number | number[];
      const asked = Array.isArray(count) ? count : new Array<number>(count).fill(total / count);
      const known = asked.reduce((a, b) => (b === -1 ? a : a + b), 0);
      const sizes = asked.map((size) => (size === -1 ? total - known : size));
      if (sizes.reduce((a, b) => a + b, 0) !== total || !sizes.every(Number.isInteger)) {
        refuse(
          `cannot split a size of ${total} into ${Array.isArray(count) ? `[${count}]` : `${count} equal parts`}`,
          "shape",
        );
      }
      return sizes.map((size) => ({ shape: x!.shape.with(at, size), dtype: x!.dtype }));
    },
    lower(emit, { x }, { axis }, outputs) {
      const at = positive(axis, x!.shape.length);
      const sizes = emit.ints(outputs.map(({ shape }) => shape[at]!));
      const names = emit.nodes("Split", [emit.full(x!), sizes], outputs.length, { axis: at });
      return outputs.map((output, i) => ({ ...output, name: names[i]! }));
    },
  },
};
