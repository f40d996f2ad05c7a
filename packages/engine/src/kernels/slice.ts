import { type Size, sameShape, sum } from "../size.ts";
import { type Attrs, axesOf, type Emitter, type Kernel, refuse } from "./kernel.ts";
import { reshaped } from "./shape.ts";

const list = (value: unknown): number[] => [value].flat() as number[];

/** Past the end of any axis, in both directions. */
const [end, start] = [2 ** 52, -(2 ** 52)];

/** Turns axes around. */
function reversed(emit: Emitter, x: string, axes: readonly number[]): string {
  const each = (value: number): string => emit.ints(axes.map(() => value));
  return emit.node("Slice", [x, each(-1), each(start), emit.ints(axes), each(-1)]);
}

/** What a strided slice does to each axis of its input, in order; `added` and `dropped` change the rank. */
interface Step {
  readonly begin: Size;
  readonly end: Size;
  readonly stride: number;
  readonly kind: "kept" | "dropped";
}

/** The axes of a strided slice without masks: bit i of a mask is about entry i of `begin`. */
function stepsOf(rank: number, attrs: Attrs): { steps: Step[]; added: number[] } {
  const { begin, end: stop, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } = attrs;
  const has = (mask: number, i: number): boolean => ((mask >> i) & 1) === 1;
  const entries = [...(begin as Size[]).keys()];
  const taken = entries.filter((i) => !has(newAxisMask, i) && !has(ellipsisMask, i)).length;
  const whole: Step = { begin: 0, end, stride: 1, kind: "kept" };
  const steps: Step[] = [];
  const added: number[] = [];
  let outputs = 0;
  for (const i of entries) {
    const before = steps.length;
    if (has(ellipsisMask, i)) for (let n = taken; n < rank; n++) steps.push(whole);
    else if (has(newAxisMask, i)) added.push(outputs++);
    else if (has(shrinkAxisMask, i)) {
      const next = begin[i] === -1 ? end : sum([begin[i], 1]);
      steps.push({ begin: begin[i], end: next, stride: 1, kind: "dropped" });
    } else {
      const stride = strides[i] as number;
      const [first, last] = stride > 0 ? [0, end] : [-1, start];
      steps.push({
        begin: has(beginMask, i) ? first : begin[i],
        end: has(endMask, i) ? last : stop[i],
        stride,
        kind: "kept",
      });
    }
    outputs += steps.slice(before).filter(({ kind }) => kind === "kept").length;
  }
  while (steps.length < rank) steps.push(whole);
  return { steps, added };
}

/** How many numbers of `size` a step takes. */
function count({ begin, end: stop, stride }: Step, size: number): number {
  const inside = (at: number): number => {
    const from = at < 0 ? at + size : at;
    return stride > 0 ? Math.min(size, Math.max(0, from)) : Math.min(size - 1, Math.max(-1, from));
  };
  return Math.max(0, Math.ceil((inside(stop as number) - inside(begin as number)) / stride));
}

/** The numbers that a padding of `x` along `axis` repeats, mirrored. @param edge 1 leaves the outermost out */
function mirrored(emit: Emitter, x: string, axis: number, [before, after]: readonly Size[], edge: number): string {
  const cut = (from: Size, to: Size): string =>
    reversed(emit, emit.node("Slice", [x, emit.ints([from]), emit.ints([to]), emit.ints([axis])]), [axis]);
  const minus = (a: Size, b: number): Size =>
    sum([typeof a === "number" ? -a : { terms: a.terms.map((t) => ({ ...t, times: -t.times })) }, -b]);
  const parts = [x];
  if (before !== 0) parts.unshift(cut(edge, sum([before!, edge])));
  if (after !== 0) parts.push(cut(minus(after!, edge), edge === 0 ? end : -edge));
  return parts.length === 1 ? x : emit.node("Concat", parts, { axis });
}

/** Kernels that take a part of a tensor, or put something around it. */
export const slice: Readonly<Record<string, Kernel>> = {
  Slice: {
    infer({ x }, { begin, size }) {
      const [from, sizes] = [list(begin), list(size)];
      const shape = x!.shape.map((total, i) => {
        const asked = sizes[i] ?? -1;
        const first = from[i] ?? 0;
        const taken = asked < 0 ? total - first : asked;
        if (first < 0 || taken < 0 || first + taken > total) {
          refuse(`cannot take ${taken} from ${first} on of the ${total} along axis ${i} of [${x!.shape}]`, "shape");
        }
        return taken;
      });
      return [{ shape, dtype: x!.dtype }];
    },
    lower(emit, { x }, { begin }, [output]) {
      if (x!.everywhere !== undefined) return [{ ...output!, everywhere: x!.everywhere }];
      const from = [begin].flat() as Size[];
      const starts = output!.shape.map((_, i) => from[i] ?? 0);
      // An axis that is taken whole needs no slicing.
      const cut = [...starts.keys()].filter((i) => starts[i] !== 0 || !sameShape([x!.shape[i]!], [output!.shape[i]!]));
      if (cut.length === 0) return [x!];
      const name = emit.node("Slice", [
        emit.full(x!),
        emit.ints(cut.map((i) => starts[i]!)),
        emit.ints(cut.map((i) => sum([starts[i]!, output!.shape[i]!]))),
        emit.ints(cut),
      ]);
      return [{ ...output!, name }];
    },
  },
  StridedSlice: {
    infer({ x }, attrs) {
      const { steps, added } = stepsOf(x!.shape.length, attrs);
      if (steps.length > x!.shape.length) refuse(`has more entries than [${x!.shape}] has axes`, "shape");
      if (steps.some(({ stride }) => stride === 0)) refuse("needs strides other than 0", "shape");
      const kept = steps.flatMap((step, i) => (step.kind === "kept" ? [count(step, x!.shape[i]!)] : []));
      return [{ shape: added.reduce((shape, at) => shape.toSpliced(at, 0, 1), kept), dtype: x!.dtype }];
    },
    lower(emit, { x }, attrs, [output]) {
      const { steps } = stepsOf(x!.shape.length, attrs);
      const vectors = [
        steps.map((step) => step.begin),
        steps.map((step) => step.end),
        steps.map((_, i) => i),
        steps.map((step) => step.stride),
      ];
      const name = emit.node("Slice", [emit.full(x!), ...vectors.map(emit.ints)]);
      // Without a shape of its own: a sliced axis has a size that need not be known.
      const same = steps.every(({ kind }) => kind === "kept") && output!.shape.length === steps.length;
      return [same ? { ...output!, name } : reshaped(emit, { shape: [], dtype: x!.dtype, name }, output!)];
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
  MirrorPad: {
    infer: ({ x }, { paddings }) => [
      { shape: x!.shape.map((size, i) => size + paddings[i][0] + paddings[i][1]), dtype: x!.dtype },
    ],
    lower(emit, { x }, { paddings, mode }, [output]) {
      const edge = mode === "reflect" ? 1 : 0;
      const name = (paddings as Size[][]).reduce(
        (padded, pair, axis) => mirrored(emit, padded, axis, pair, edge),
        emit.full(x!),
      );
      return [{ ...output!, name }];
    },
  },
  Reverse: {
    infer({ x }, attrs) {
      axesOf(attrs.dims, x!.shape.length);
      return [x!];
    },
    lower(emit, { x }, { dims }, [output]) {
      const axes = axesOf(dims, x!.shape.length);
      return [axes.length === 0 ? x! : { ...output!, name: reversed(emit, emit.full(x!), axes) }];
    },
  },
};
