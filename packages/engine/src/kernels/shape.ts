import { product, type Size, sum } from "../size.ts";
import { stretch } from "./elementwise.ts";
import { broadcast, type Emitter, type Kernel, type Operand, positive } from "./kernel.ts";

/** The same numbers under another shape. */
function reshaped(emit: Emitter, x: Operand, output: { shape: readonly Size[]; dtype: Operand["dtype"] }): Operand {
  if (x.everywhere !== undefined) return { ...output, everywhere: x.everywhere };
  const same = x.shape.length === output.shape.length && JSON.stringify(x.shape) === JSON.stringify(output.shape);
  return same ? x : { ...output, name: emit.node("Reshape", [emit.full(x), emit.ints(output.shape)]) };
}

/** Axes, as TensorFlow.js takes them, of a shape with sizes of 1 put in. */
function inserted(shape: readonly number[], axis: number): number[] {
  const at = axis < 0 ? shape.length + axis + 1 : axis;
  return [...shape.slice(0, at), 1, ...shape.slice(at)];
}

const list = (value: unknown): number[] => [value].flat() as number[];

/** Kernels that move numbers without changing them. */
export const shape: Readonly<Record<string, Kernel>> = {
  Identity: { infer: ({ x }) => [x!], lower: (_, { x }) => [x!] },
  Reshape: {
    infer({ x }, { shape }) {
      const size = x!.shape.reduce((a, b) => a * b, 1);
      const known = (shape as number[]).reduce((a, b) => (b === -1 ? a : a * b), 1);
      return [{ shape: (shape as number[]).map((one) => (one === -1 ? size / known : one)), dtype: x!.dtype }];
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
      return [{ ...output!, name: emit.node("Transpose", [emit.full(x!)], { perm: list(perm) }) }];
    },
  },
  BroadcastTo: {
    infer: ({ x }, { shape }) => [{ shape: broadcast(x!.shape, shape), dtype: x!.dtype }],
    lower: (_, { x }, __, [output]) => [stretch(x!, output!)],
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
      const total = all.reduce((size, { shape }) => size + shape[at]!, 0);
      return [{ shape: all[0]!.shape.map((size, i) => (i === at ? total : size)), dtype: all[0]!.dtype }];
    },
    lower: (emit, inputs, { axis }, [output]) => [
      {
        ...output!,
        name: emit.node("Concat", Object.values(inputs).map(emit.full), { axis: positive(axis, output!.shape.length) }),
      },
    ],
  },
  Pack: {
    infer(inputs, { axis }) {
      const [first, ...rest] = Object.values(inputs);
      const shape = inserted(first!.shape, axis);
      shape[positive(axis, shape.length)] = rest.length + 1;
      return [{ shape, dtype: first!.dtype }];
    },
    lower(emit, inputs, { axis }, [output]) {
      const at = positive(axis, output!.shape.length);
      const parts = Object.values(inputs).map((x) => emit.node("Unsqueeze", [emit.full(x), emit.ints([at])]));
      return [{ ...output!, name: emit.node("Concat", parts, { axis: at }) }];
    },
  },
  Unpack: {
    infer({ value }, { axis, num }) {
      const at = positive(axis, value!.shape.length);
      const shape = value!.shape.filter((_, i) => i !== at);
      return Array.from({ length: (num as number) || value!.shape[at]! }, () => ({ shape, dtype: value!.dtype }));
    },
    lower(emit, { value }, { axis }, outputs) {
      const at = positive(axis, value!.shape.length);
      const sizes = emit.ints(outputs.map(() => 1));
      const parts = emit.nodes("Split", [emit.full(value!), sizes], outputs.length, { axis: at });
      return outputs.map((output, i) => ({
        ...output,
        name: emit.node("Squeeze", [parts[i]!, emit.ints([at])]),
      }));
    },
  },
  SplitV: {
    infer({ x }, { numOrSizeSplits, axis }) {
      const at = positive(axis, x!.shape.length);
      const total = x!.shape[at]!;
      const count = numOrSizeSplits as number | number[];
      const sizes = Array.isArray(count) ? count : new Array<number>(count).fill(total / count);
      const known = sizes.reduce((a, b) => (b === -1 ? a : a + b), 0);
      return sizes.map((size) => ({
        shape: x!.shape.map((other, i) => (i === at ? (size === -1 ? total - known : size) : other)),
        dtype: x!.dtype,
      }));
    },
    lower(emit, { x }, { axis }, outputs) {
      const at = positive(axis, x!.shape.length);
      const sizes = emit.ints(outputs.map(({ shape }) => shape[at]!));
      const names = emit.nodes("Split", [emit.full(x!), sizes], outputs.length, { axis: at });
      return outputs.map((output, i) => ({ ...output, name: names[i]! }));
    },
  },
  Slice: {
    infer({ x }, { begin, size }) {
      const from = list(begin);
      const sizes = list(size);
      return [
        {
          shape: x!.shape.map((total, i) => {
            const asked = sizes[i] ?? -1;
            return asked < 0 ? total - (from[i] ?? 0) : asked;
          }),
          dtype: x!.dtype,
        },
      ];
    },
    lower(emit, { x }, { begin }, [output]) {
      if (x!.everywhere !== undefined) return [{ ...output!, everywhere: x!.everywhere }];
      const from = [begin].flat() as Size[];
      const start = output!.shape.map((_, i) => from[i] ?? 0);
      const axes = output!.shape.map((_, i) => i);
      // An axis that is taken whole needs no slicing.
      const cut = axes.filter((i) => start[i] !== 0 || JSON.stringify(x!.shape[i]) !== JSON.stringify(output!.shape[i]));
      if (cut.length === 0) return [x!];
      const name = emit.node("Slice", [
        emit.full(x!),
        emit.ints(cut.map((i) => start[i]!)),
        emit.ints(cut.map((i) => sum([start[i]!, output!.shape[i]!]))),
        emit.ints(cut),
      ]);
      return [{ ...output!, name }];
    },
  },
  PadV2: {
    infer: ({ x }, { paddings }) => [
      { shape: x!.shape.map((size, i) => size + paddings[i][0] + paddings[i][1]), dtype: x!.dtype },
    ],
    lower(emit, { x }, { paddings, constantValue }, [output]) {
      const pads = emit.ints([0, 1].flatMap((side) => paddings.map((pair: Size[]) => pair[side]!)));
      return [{ ...output!, name: emit.node("Pad", [emit.full(x!), pads, emit.scalar(x!.dtype, constantValue)]) }];
    },
  },
  Reverse: {
    infer: ({ x }) => [x!],
    lower(emit, { x }, { dims }, [output]) {
      const axes = list(dims).map((axis) => positive(axis, x!.shape.length));
      if (axes.length === 0) return [x!];
      const each = (value: number): string => emit.ints(axes.map(() => value));
      const slice = [emit.full(x!), each(-1), each(-(2 ** 52)), emit.ints(axes), each(-1)];
      return [{ ...output!, name: emit.node("Slice", slice) }];
    },
  },
};

/** Kernels that make tensors of nothing but their attributes. */
export const create: Readonly<Record<string, Kernel>> = {
  Fill: {
    infer: (_, { shape, dtype }) => [{ shape, dtype: dtype ?? "float32" }],
    lower: (_, __, { value }, [output]) => [{ ...output!, everywhere: value }],
  },
  ZerosLike: { infer: ({ x }) => [x!], lower: (_, __, ___, [output]) => [{ ...output!, everywhere: 0 }] },
  OnesLike: { infer: ({ x }) => [x!], lower: (_, __, ___, [output]) => [{ ...output!, everywhere: 1 }] },
  Range: {
    infer(_, { start, stop, step, dtype }) {
      const length = start === stop || (start < stop && step < 0) ? 0 : Math.abs(Math.ceil((stop - start) / step));
      return [{ shape: [length], dtype: dtype ?? "float32" }];
    },
    lower(emit, _, { start, step }, [output]) {
      const { dtype, shape } = output!;
      // From the length, not to `stop`: rounding must not add a number.
      const count = emit.node("Range", [
        emit.scalar("int64", 0),
        emit.node("Squeeze", [emit.ints(shape)]),
        emit.scalar("int64", 1),
      ]);
      const steps = emit.node("Cast", [count], { to: dtype === "int32" ? 6 : 1 });
      const scaled = step === 1 ? steps : emit.node("Mul", [steps, emit.scalar(dtype, step)]);
      return [{ ...output!, name: start === 0 ? scaled : emit.node("Add", [scaled, emit.scalar(dtype, start)]) }];
    },
  },
  LinSpace: {
    infer: (_, { num }) => [{ shape: [num], dtype: "float32" }],
    lower(emit, _, { start, stop, num }, [output]) {
      const count = emit.node("Range", [
        emit.scalar("int64", 0),
        emit.node("Squeeze", [emit.ints([num])]),
        emit.scalar("int64", 1),
      ]);
      const steps = emit.node("Cast", [count], { to: 1 });
      const step = emit.node("Div", [
        emit.scalar("float32", sum([stop, product([start, -1])])),
        emit.scalar("float32", num === 1 ? 1 : sum([num, -1])),
      ]);
      return [
        { ...output!, name: emit.node("Add", [emit.node("Mul", [steps, step]), emit.scalar("float32", start)]) },
      ];
    },
  },
};
