import type { Port } from "../program.ts";
import { casted, type Emitter, type Kernel, positive, refuse, type Shaped, takes, upcast } from "./kernel.ts";
import { smallShape, stretch } from "./stretch.ts";

const zeros = (emit: Emitter, port: Port): string => emit.full({ ...port, everywhere: 0 });

/** The batch axes, which count from the end of the indices when negative. */
function batchOf(batchDims: number | undefined, indices: { shape: readonly unknown[] }): number {
  return (batchDims ?? 0) < 0 ? batchDims! + indices.shape.length : (batchDims ?? 0);
}

/** Indices and updates of a scatter agree with the shape that they write into. */
function checkScatter(updates: Shaped, indices: Shaped, shape: readonly number[]): void {
  const depth = indices.shape.at(-1)!;
  const expected = [...indices.shape.slice(0, -1), ...shape.slice(depth)];
  if (depth > shape.length || `${updates.shape}` !== `${expected}`) {
    refuse(`needs updates of the shape [${expected}], got [${updates.shape}]`, "shape");
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/**
 * Kernels that read or write at indices.
 *
 * Indices outside are an error of the run, not of the trace; those from -size to -1 count from the end, where
 * TensorFlow.js's CPU backend refuses them.
 */
export const gather: Readonly<Record<string, Kernel>> = {
  GatherV2: {
    infer({ x, indices }, { axis, batchDims }) {
      takes(indices!, "int32");
      const at = positive(axis, x!.shape.length);
      const batch = batchOf(batchDims, indices!);
      if (batch > at || range(0, batch).some((i) => x!.shape[i] !== indices!.shape[i])) {
        refuse(
          `cannot take ${batch} batch axes of [${x!.shape}] and indices [${indices!.shape}] along axis ${at}`,
          "shape",
        );
      }
      const shape = [...x!.shape.slice(0, at), ...indices!.shape.slice(batch), ...x!.shape.slice(at + 1)];
      return [{ shape, dtype: x!.dtype }];
    },
    lower(emit, { x, indices }, { axis, batchDims }, [output]) {
      const at = positive(axis, x!.shape.length);
      const batch = batchOf(batchDims, indices!);
      if (batch === 0) {
        return [{ ...output!, name: emit.node("Gather", [emit.full(x!), emit.full(indices!)], { axis: at }) }];
      }
      // GatherND reads along the axis after the batch: bring ours there, and back afterwards.
      const rank = x!.shape.length;
      const front = [...range(0, batch), at, ...range(batch, rank).filter((axis) => axis !== at)];
      const moved = at === batch ? emit.full(x!) : emit.node("Transpose", [emit.full(x!)], { perm: front });
      const index = emit.node("Unsqueeze", [
        emit.cast(emit.full(indices!), "int64"),
        emit.ints([indices!.shape.length]),
      ]);
      const taken = emit.node("GatherND", [moved, index], { batch_dims: batch });
      if (at === batch) return [{ ...output!, name: taken }];
      // taken: batch, indices, the axes before `at`, the axes after it.
      const perIndex = indices!.shape.length - batch;
      const before = at - batch;
      const back = [
        ...range(0, batch),
        ...range(batch + perIndex, batch + perIndex + before),
        ...range(batch, batch + perIndex),
        ...range(batch + perIndex + before, output!.shape.length),
      ];
      return [{ ...output!, name: emit.node("Transpose", [taken], { perm: back }) }];
    },
  },
  GatherNd: {
    infer({ params, indices }) {
      takes(indices!, "int32");
      const depth = indices!.shape.at(-1)!;
      if (depth > params!.shape.length) {
        refuse(`has indices of ${depth} axes for a tensor of rank ${params!.shape.length}`, "shape");
      }
      return [{ shape: [...indices!.shape.slice(0, -1), ...params!.shape.slice(depth)], dtype: params!.dtype }];
    },
    lower: (emit, { params, indices }, _, [output]) => [
      { ...output!, name: emit.node("GatherND", [emit.full(params!), emit.cast(emit.full(indices!), "int64")]) },
    ],
  },
  ScatterNd: {
    infer({ indices, updates }, { shape }) {
      takes(updates!, "float32", "int32");
      checkScatter(updates!, indices!, shape);
      return [{ shape, dtype: updates!.dtype }];
    },
    lower(emit, { indices, updates }, _, [output]) {
      const inputs = [zeros(emit, output!), emit.cast(emit.full(indices!), "int64"), emit.full(updates!)];
      return [{ ...output!, name: emit.node("ScatterND", inputs, { reduction: "add" }) }];
    },
  },
  TensorScatterUpdate: {
    infer({ tensor, indices, updates }) {
      checkScatter(updates!, indices!, tensor!.shape);
      return [tensor!];
    },
    lower(emit, { tensor, indices, updates }, _, [output]) {
      const inputs = [emit.full(tensor!), emit.cast(emit.full(indices!), "int64"), emit.full(updates!)];
      return [{ ...output!, name: emit.node("ScatterND", inputs) }];
    },
  },
  UnsortedSegmentSum: {
    infer({ x, segmentIds }, { numSegments }) {
      takes(x!, "float32", "int32");
      if (segmentIds!.shape.length !== 1) refuse(`needs ids of rank 1, got [${segmentIds!.shape}]`, "shape");
      // TensorFlow.js multiplies by a mask of float32.
      return [{ shape: [numSegments, ...x!.shape.slice(1)], dtype: "float32" }];
    },
    lower(emit, { x, segmentIds }, { numSegments }, [output]) {
      const ids = emit.full(segmentIds!);
      // Ids of no segment add nothing.
      const known = emit.node("And", [
        emit.node("GreaterOrEqual", [ids, emit.scalar("int32", 0)]),
        emit.node("Less", [ids, emit.scalar("int32", numSegments)]),
      ]);
      const inner = range(1, x!.shape.length);
      const rows = inner.length === 0 ? known : emit.node("Unsqueeze", [known, emit.ints(inner)]);
      const updates = emit.node("Where", [rows, emit.full(casted(emit, x!, "float32")), emit.scalar("float32", 0)]);
      const index = emit.node("Where", [known, ids, emit.scalar("int32", 0)]);
      const indices = emit.node("Unsqueeze", [emit.cast(index, "int64"), emit.ints([1])]);
      return [
        { ...output!, name: emit.node("ScatterND", [zeros(emit, output!), indices, updates], { reduction: "add" }) },
      ];
    },
  },
  OneHot: {
    infer: ({ indices }, { depth, dtype = "int32" }) => [{ shape: [...indices!.shape, depth], dtype }],
    lower(emit, { indices }, { depth, onValue, offValue }, [output]) {
      const { dtype } = output!;
      const stop = emit.cast(emit.node("Squeeze", [emit.ints([depth])]), "int32");
      const places = emit.node("Range", [emit.scalar("int32", 0), stop, emit.scalar("int32", 1)]);
      const index = emit.node("Unsqueeze", [emit.full(indices!), emit.ints([indices!.shape.length])]);
      const equal = emit.node("Equal", [index, places]);
      if (onValue === 1 && offValue === 0)
        return [{ ...output!, name: dtype === "bool" ? equal : emit.cast(equal, dtype) }];
      // ONNX Runtime's Where takes no truth values.
      const as = dtype === "bool" ? "int32" : dtype;
      const name = emit.node("Where", [equal, emit.scalar(as, onValue), emit.scalar(as, offValue)]);
      return [{ ...output!, name: as === dtype ? name : emit.cast(name, dtype) }];
    },
  },
  Select: {
    infer({ condition, t, e }) {
      takes(condition!, "bool");
      if ([condition!, e!].some(({ shape }) => `${shape}` !== `${t!.shape}`)) {
        refuse(`needs three tensors of one shape, got [${condition!.shape}], [${t!.shape}] and [${e!.shape}]`, "shape");
      }
      return [{ shape: t!.shape, dtype: upcast(t!.dtype, e!.dtype) }];
    },
    lower(emit, { condition, t, e }, _, [output]) {
      const where = emit.small(condition!);
      const [yes, no] = [t!, e!].map((x) => emit.small(casted(emit, x, output!.dtype)));
      const name =
        output!.dtype === "bool"
          ? emit.node("Or", [emit.node("And", [where, yes!]), emit.node("And", [emit.node("Not", [where]), no!])])
          : emit.node("Where", [where, yes!, no!]);
      return [stretch({ shape: smallShape(condition!, t!, e!), dtype: output!.dtype, name }, output!)];
    },
  },
};
