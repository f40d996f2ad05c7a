import type { Dtype } from "../program.ts";
import { type Attrs, type Emitter, type Kernel, onnxTypes, positive, type Shaped } from "./kernel.ts";

/** The axes that a kernel reduces: TensorFlow.js calls them by two names. */
function axesOf({ axis, reductionIndices }: Attrs, rank: number): number[] {
  const given = axis ?? reductionIndices;
  if (given === undefined || given === null) return Array.from({ length: rank }, (_, i) => i);
  return [given].flat().map((one: number) => positive(one, rank));
}

function reduced({ shape }: Shaped, axes: readonly number[], keep: boolean): number[] {
  return keep ? shape.map((size, i) => (axes.includes(i) ? 1 : size)) : shape.filter((_, i) => !axes.includes(i));
}

function reduction(
  op: string,
  { to, via }: { to?: Dtype; via?: { before: number; after: number } } = {},
): Kernel {
  return {
    infer({ x }, attrs) {
      const shape = reduced(x!, axesOf(attrs, x!.shape.length), attrs.keepDims === true);
      return [{ shape, dtype: to ?? x!.dtype }];
    },
    lower(emit, { x }, attrs, [output]) {
      const axes = axesOf(attrs, x!.shape.length);
      const cast = (name: string, type: number | undefined): string =>
        type === undefined ? name : emit.node("Cast", [name], { to: type });
      const source = cast(emit.full(x!), via?.before ?? (to && to !== x!.dtype ? onnxTypes[to] : undefined));
      // Without axes ONNX would reduce all of them.
      const result =
        axes.length === 0 ? source : emit.node(op, [source, emit.ints(axes)], { keepdims: attrs.keepDims ? 1 : 0 });
      return [{ ...output!, name: cast(result, via?.after) }];
    },
  };
}

function arg(op: string): Kernel {
  return {
    infer: ({ x }, { axis }) => [
      { shape: x!.shape.filter((_, i) => i !== positive(axis, x!.shape.length)), dtype: "int32" },
    ],
    lower: (emit, { x }, { axis }, [output]) => [
      {
        ...output!,
        name: toInt32(emit, emit.node(op, [emit.full(x!)], { axis: positive(axis, x!.shape.length), keepdims: 0 })),
      },
    ],
  };
}

export function toInt32(emit: Emitter, name: string): string {
  return emit.node("Cast", [name], { to: onnxTypes.int32 });
}

/** ONNX has no `and` and `or` over an axis. */
const logical = { before: onnxTypes.int32, after: onnxTypes.bool };

/** Kernels that join the numbers along an axis. */
export const reduce: Readonly<Record<string, Kernel>> = {
  Sum: reduction("ReduceSum"),
  Mean: reduction("ReduceMean", { to: "float32" }),
  Max: reduction("ReduceMax"),
  Min: reduction("ReduceMin"),
  Prod: reduction("ReduceProd"),
  All: reduction("ReduceMin", { via: logical }),
  Any: reduction("ReduceMax", { via: logical }),
  ArgMax: arg("ArgMax"),
  ArgMin: arg("ArgMin"),
  Cumsum: {
    infer: ({ x }) => [x!],
    lower: (emit, { x }, { axis, exclusive, reverse }, [output]) => [
      {
        ...output!,
        name: emit.node("CumSum", [emit.full(x!), emit.scalar("int64", positive(axis, x!.shape.length))], {
          exclusive: exclusive ? 1 : 0,
          reverse: reverse ? 1 : 0,
        }),
      },
    ],
  },
  Softmax: {
    infer: ({ logits }) => [{ ...logits!, dtype: "float32" }],
    lower: (emit, { logits }, { dim }, [output]) => [
      { ...output!, name: emit.node("Softmax", [emit.full(logits!)], { axis: positive(dim, logits!.shape.length) }) },
    ],
  },
  LogSoftmax: {
    infer: ({ logits }) => [{ ...logits!, dtype: "float32" }],
    lower: (emit, { logits }, { axis }, [output]) => [
      { ...output!, name: emit.node("LogSoftmax", [emit.full(logits!)], { axis: positive(axis, logits!.shape.length) }) },
    ],
  },
  TopK: {
    infer({ x }, { k }) {
      const shape = [...x!.shape.slice(0, -1), k as number];
      return [
        { shape, dtype: x!.dtype },
        { shape, dtype: "int32" },
      ];
    },
    lower(emit, { x }, { k, sorted }, [values, indices]) {
      const [top, at] = emit.nodes("TopK", [emit.full(x!), emit.ints([k])], 2, { axis: -1, sorted: sorted ? 1 : 0 });
      return [
        { ...values!, name: top! },
        { ...indices!, name: toInt32(emit, at!) },
      ];
    },
  },
};
