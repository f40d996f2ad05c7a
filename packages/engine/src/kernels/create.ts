import type { Dtype } from "../program.ts";
import { product, type Size, sum } from "../size.ts";
import { type Emitter, type Kernel, refuse } from "./kernel.ts";

/** 0, 1, … up to a count, which may depend on named dimensions. */
function counted(emit: Emitter, count: Size, dtype: Dtype): string {
  const stop = emit.node("Squeeze", [emit.ints([count])]);
  return emit.cast(emit.node("Range", [emit.scalar("int64", 0), stop, emit.scalar("int64", 1)]), dtype);
}

/** TensorFlow.js turns a step of 1, its default, around when `stop` is below `start`. */
function stepOf(start: Size, stop: Size, step: Size): Size {
  return step === 1 && typeof start === "number" && typeof stop === "number" && stop < start ? -1 : step;
}

/** Kernels that make tensors of nothing but their attributes. */
export const create: Readonly<Record<string, Kernel>> = {
  Fill: {
    infer(_, { shape, value, dtype }) {
      if (dtype === "string" || typeof value === "string") refuse("makes a tensor of strings");
      return [{ shape, dtype: dtype ?? "float32" }];
    },
    lower(_, __, { value }, [output]) {
      // A truth value may come as one.
      const number = typeof value === "object" ? value : Number(value);
      const whole = output!.dtype === "int32" && typeof number === "number" ? Math.trunc(number) : number;
      return [{ ...output!, everywhere: whole }];
    },
  },
  ZerosLike: { infer: ({ x }) => [x!], lower: (_, __, ___, [output]) => [{ ...output!, everywhere: 0 }] },
  OnesLike: { infer: ({ x }) => [x!], lower: (_, __, ___, [output]) => [{ ...output!, everywhere: 1 }] },
  Range: {
    infer(_, { start, stop, step, dtype = "float32" }) {
      // Its sums are rounded one by one.
      if (dtype === "int32" && !(Number.isInteger(start) && Number.isInteger(step)))
        refuse("of int32 needs whole numbers");
      const empty = start === stop || (start < stop && step < 0) || (stop < start && step > 1);
      return [{ shape: [empty ? 0 : Math.abs(Math.ceil((stop - start) / step))], dtype }];
    },
    lower(emit, _, { start, stop, step: given }, [output]) {
      const { dtype, shape } = output!;
      const step = stepOf(start, stop, given);
      // By the count, not up to `stop`: rounding must not add a number.
      const steps = counted(emit, shape[0]!, dtype);
      const scaled = step === 1 ? steps : emit.node("Mul", [steps, emit.scalar(dtype, step)]);
      return [{ ...output!, name: start === 0 ? scaled : emit.node("Add", [scaled, emit.scalar(dtype, start)]) }];
    },
  },
  LinSpace: {
    infer: (_, { num }) => [{ shape: [num], dtype: "float32" }],
    lower(emit, _, { start, stop, num }, [output]) {
      // One number has no step to the next: any divisor but 0 will do.
      const gaps = emit.node("Max", [emit.scalar("float32", sum([num, -1])), emit.scalar("float32", 1)]);
      const step = emit.node("Div", [emit.scalar("float32", sum([stop, product([start, -1])])), gaps]);
      const scaled = emit.node("Mul", [counted(emit, num, "float32"), step]);
      return [{ ...output!, name: emit.node("Add", [scaled, emit.scalar("float32", start)]) }];
    },
  },
};
