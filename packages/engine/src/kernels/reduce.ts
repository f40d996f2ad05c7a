import type { Dtype } from "../program.ts";
import {
  type Attrs,
  axesOf,
  casted,
  type Emitter,
  type Kernel,
  positive,
  refuse,
  type Shaped,
  takes,
  upcast,
} from "./kernel.ts";

/** TensorFlow.js calls the axes by two names. */
const axesIn = ({ axis, reductionIndices }: Attrs, rank: number): number[] => axesOf(axis ?? reductionIndices, rank);

function reduced({ shape }: Shaped, axes: readonly number[], keep: boolean): number[] {
  return keep ? shape.map((size, i) => (axes.includes(i) ? 1 : size)) : shape.filter((_, i) => !axes.includes(i));
}

/** @param to the type of the result; it is computed in that type, truth values as int32 */
function reduction(op: string, to: (dtype: Dtype) => Dtype): Kernel {
  return {
    infer: ({ x }, attrs) => [
      { shape: reduced(x!, axesIn(attrs, x!.shape.length), attrs.keepDims === true), dtype: to(x!.dtype) },
    ],
    lower(emit, { x }, attrs, [output]) {
      const axes = axesIn(attrs, x!.shape.length);
      const dtype = output!.dtype === "bool" ? "int32" : output!.dtype;
      const source = emit.full(casted(emit, x!, dtype));
      // Without axes ONNX would reduce all of them.
      const name =
        axes.length === 0 ? source : emit.node(op, [source, emit.ints(axes)], { keepdims: attrs.keepDims ? 1 : 0 });
      return [{ ...output!, name: dtype === output!.dtype ? name : emit.cast(name, output!.dtype) }];
    },
  };
}

const itself = (dtype: Dtype): Dtype => dtype;
const atLeastInt32 = (dtype: Dtype): Dtype => upcast(dtype, "int32");

/** ONNX Runtime does not compare truth values; as numbers it does. */
const comparable = (dtype: Dtype): Dtype => (dtype === "bool" ? "int32" : dtype);

function arg(op: string): Kernel {
  return {
    infer({ x }, { axis }) {
      const at = positive(axis, x!.shape.length);
      return [{ shape: x!.shape.filter((_, i) => i !== at), dtype: "int32" }];
    },
    lower(emit, { x }, { axis }, [output]) {
      const source = emit.full(casted(emit, x!, comparable(x!.dtype)));
      const found = emit.node(op, [source], { axis: positive(axis, x!.shape.length), keepdims: 0 });
      return [{ ...output!, name: emit.cast(found, "int32") }];
    },
  };
}

const cumulative: Kernel["infer"] = ({ x }, { axis }) => {
  positive(axis, x!.shape.length);
  return [{ shape: x!.shape, dtype: atLeastInt32(x!.dtype) }];
};

/** For each place along the axis the product of the numbers that count there: [..., n] by way of [..., n, n]. */
function cumulativeProduct(
  emit: Emitter,
  x: string,
  rank: number,
  { axis, exclusive, reverse }: Attrs,
  dtype: Dtype,
): string {
  const at = positive(axis, rank);
  const size = emit.node("Squeeze", [emit.node("Shape", [x], { start: at, end: at + 1 })]);
  const places = emit.node("Range", [emit.scalar("int64", 0), size, emit.scalar("int64", 1)]);
  const [row, column] = [emit.node("Unsqueeze", [places, emit.ints([1])]), places];
  const op = exclusive ? "Greater" : "GreaterOrEqual";
  const counts = emit.node(op, reverse ? [column, row] : [row, column]);
  // The numbers along the last axis, the places where their product goes along the one before.
  const last = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== at);
  const moved = at === rank - 1 ? x : emit.node("Transpose", [x], { perm: [...last, at] });
  const table = emit.node("Where", [counts, emit.node("Unsqueeze", [moved, emit.ints([-2])]), emit.scalar(dtype, 1)]);
  const product = emit.node("ReduceProd", [table, emit.ints([-1])], { keepdims: 0 });
  if (at === rank - 1) return product;
  return emit.node("Transpose", [product], { perm: [...last.slice(0, at).keys(), rank - 1, ...range(at, rank - 1)] });
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/**
 * Kernels that join the numbers along an axis.
 *
 * Where a number is NaN, `Max`, `Min`, `ArgMax` and `ArgMin` give what the processor's comparison gives; in
 * TensorFlow.js the first two are NaN.
 */
export const reduce: Readonly<Record<string, Kernel>> = {
  Sum: reduction("ReduceSum", atLeastInt32),
  Mean: reduction("ReduceMean", () => "float32"),
  Prod: reduction("ReduceProd", atLeastInt32),
  Max: reduction("ReduceMax", itself),
  Min: reduction("ReduceMin", itself),
  // ONNX has no `and` and `or` over an axis: as numbers they are the least and the greatest.
  All: reduction("ReduceMin", itself),
  Any: reduction("ReduceMax", itself),
  ArgMax: arg("ArgMax"),
  ArgMin: arg("ArgMin"),
  Cumsum: {
    infer: cumulative,
    lower(emit, { x }, { axis, exclusive, reverse }, [output]) {
      const source = emit.full(casted(emit, x!, output!.dtype));
      const flags = { exclusive: exclusive ? 1 : 0, reverse: reverse ? 1 : 0 };
      const at = emit.scalar("int64", positive(axis, x!.shape.length));
      return [{ ...output!, name: emit.node("CumSum", [source, at], flags) }];
    },
  },
  Cumprod: {
    infer: cumulative,
    lower(emit, { x }, attrs, [output]) {
      const source = emit.full(casted(emit, x!, output!.dtype));
      return [{ ...output!, name: cumulativeProduct(emit, source, x!.shape.length, attrs, output!.dtype) }];
    },
  },
  Softmax: {
    infer({ logits }, { dim }) {
      takes(logits!, "float32");
      positive(dim, logits!.shape.length);
      return [logits!];
    },
    lower: (emit, { logits }, { dim }, [output]) => [
      { ...output!, name: emit.node("Softmax", [emit.full(logits!)], { axis: positive(dim, logits!.shape.length) }) },
    ],
  },
  TopK: {
    infer({ x }, { k }) {
      const last = x!.shape.at(-1) ?? 0;
      if (k > last) refuse(`cannot take ${k} of ${last} numbers`, "shape");
      const shape = [...x!.shape.slice(0, -1), k as number];
      return [
        { shape, dtype: x!.dtype },
        { shape, dtype: "int32" },
      ];
    },
    lower(emit, { x }, { k, sorted }, [values, indices]) {
      const dtype = comparable(x!.dtype);
      const source = emit.full(casted(emit, x!, dtype));
      const [top, at] = emit.nodes("TopK", [source, emit.ints([k])], 2, { axis: -1, sorted: sorted ? 1 : 0 });
      return [
        { ...values!, name: dtype === x!.dtype ? top! : emit.cast(top!, x!.dtype) },
        { ...indices!, name: emit.cast(at!, "int32") },
      ];
    },
  },
};
