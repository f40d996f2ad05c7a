import type { Port } from "../program.ts";
import { type Emitter, type Kernel, onnxTypes, positive } from "./kernel.ts";

const toInt64 = (emit: Emitter, name: string): string => emit.node("Cast", [name], { to: onnxTypes.int64 });

const zeros = (emit: Emitter, port: Port): string => emit.full({ ...port, everywhere: 0 });

/** Kernels that read or write at indices. Indices outside are an error of the run, not of the trace. */
export const gather: Readonly<Record<string, Kernel>> = {
  GatherV2: {
    infer({ x, indices }, { axis, batchDims = 0 }) {
      const at = positive(axis, x!.shape.length);
      return [
        {
          shape: [...x!.shape.slice(0, at), ...indices!.shape.slice(batchDims), ...x!.shape.slice(at + 1)],
          dtype: x!.dtype,
        },
      ];
    },
    lower(emit, { x, indices }, { axis, batchDims = 0 }, [output]) {
      const at = positive(axis, x!.shape.length);
      if (batchDims === 0) {
        return [{ ...output!, name: emit.node("Gather", [emit.full(x!), emit.full(indices!)], { axis: at }) }];
      }
      // GatherND reads along the axis after the batch: bring ours there, and back afterwards.
      const rank = x!.shape.length;
      const front = [...Array(batchDims).keys(), at, ...range(batchDims, rank).filter((axis) => axis !== at)];
      const moved = at === batchDims ? emit.full(x!) : emit.node("Transpose", [emit.full(x!)], { perm: front });
      const index = emit.node("Unsqueeze", [toInt64(emit, emit.full(indices!)), emit.ints([indices!.shape.length])]);
      const taken = emit.node("GatherND", [moved, index], { batch_dims: batchDims });
      if (at === batchDims) return [{ ...output!, name: taken }];
      // taken: batch, indices, the axes before `at`, the axes after it.
      const perIndex = indices!.shape.length - batchDims;
      const before = at - batchDims;
      const back = [
        ...range(0, batchDims),
        ...range(batchDims + perIndex, batchDims + perIndex + before),
        ...range(batchDims, batchDims + perIndex),
        ...range(batchDims + perIndex + before, output!.shape.length),
      ];
      return [{ ...output!, name: emit.node("Transpose", [taken], { perm: back }) }];
    },
  },
  GatherNd: {
    infer({ params, indices }) {
      const depth = indices!.shape.at(-1)!;
      return [{ shape: [...indices!.shape.slice(0, -1), ...params!.shape.slice(depth)], dtype: params!.dtype }];
    },
    lower: (emit, { params, indices }, _, [output]) => [
      { ...output!, name: emit.node("GatherND", [emit.full(params!), toInt64(emit, emit.full(indices!))]) },
    ],
  },
  ScatterNd: {
    infer: ({ updates }, { shape }) => [{ shape, dtype: updates!.dtype }],
    lower: (emit, { indices, updates }, _, [output]) => [
      {
        ...output!,
        name: emit.node(
          "ScatterND",
          [zeros(emit, output!), toInt64(emit, emit.full(indices!)), emit.full(updates!)],
          { reduction: "add" },
        ),
      },
    ],
  },
  TensorScatterUpdate: {
    infer: ({ tensor }) => [tensor!],
    lower: (emit, { tensor, indices, updates }, _, [output]) => [
      {
        ...output!,
        name: emit.node("ScatterND", [
          emit.full(tensor!),
          toInt64(emit, emit.full(indices!)),
          emit.full(updates!),
        ]),
      },
    ],
  },
  UnsortedSegmentSum: {
    infer: ({ x, segmentIds }, { numSegments }) => [
      { shape: [numSegments, ...x!.shape.slice(segmentIds!.shape.length)], dtype: x!.dtype },
    ],
    lower(emit, { x, segmentIds }, _, [output]) {
      const index = emit.node("Unsqueeze", [
        toInt64(emit, emit.full(segmentIds!)),
        emit.ints([segmentIds!.shape.length]),
      ]);
      const name = emit.node("ScatterND", [zeros(emit, output!), index, emit.full(x!)], { reduction: "add" });
      return [{ ...output!, name }];
    },
  },
  OneHot: {
    infer: ({ indices }, { depth, dtype }) => [{ shape: [...indices!.shape, depth], dtype: dtype ?? "int32" }],
    lower(emit, { indices }, { depth, onValue, offValue }, [output]) {
      const { dtype } = output!;
      const places = emit.node("Range", [
        emit.scalar("int32", 0),
        emit.node("Cast", [emit.node("Squeeze", [emit.ints([depth])])], { to: onnxTypes.int32 }),
        emit.scalar("int32", 1),
      ]);
      const index = emit.node("Unsqueeze", [emit.full(indices!), emit.ints([indices!.shape.length])]);
      const equal = emit.node("Equal", [index, places]);
      if (onValue === 1 && offValue === 0) {
        return [{ ...output!, name: dtype === "bool" ? equal : emit.node("Cast", [equal], { to: onnxTypes[dtype] }) }];
      }
      return [
        { ...output!, name: emit.node("Where", [equal, emit.scalar(dtype, onValue), emit.scalar(dtype, offValue)]) },
      ];
    },
  },
  Select: {
    infer: ({ t }) => [t!],
    lower(emit, { condition, t, e }, _, [output]) {
      let where = emit.full(condition!);
      const missing = t!.shape.length - condition!.shape.length;
      // A condition of rank 1 chooses rows.
      if (missing > 0) {
        where = emit.node("Unsqueeze", [where, emit.ints(range(condition!.shape.length, t!.shape.length))]);
      }
      return [{ ...output!, name: emit.node("Where", [where, emit.small(t!), emit.small(e!)]) }];
    },
  },
};

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
