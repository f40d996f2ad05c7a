import { tf } from "@clara/tensor";

/** One operation of a graph: on which values, by number. */
export interface Step {
  readonly run: (...inputs: tf.Tensor[]) => tf.Tensor | readonly tf.Tensor[];
  readonly inputs: readonly number[];
  /** Numbers are moved, not changed. */
  readonly moves?: boolean;
}

export interface Random {
  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number;
  from<T>(list: readonly T[]): T;
}

/** What an operation is chosen by. */
export interface Graph {
  readonly random: Random;
  /** New arguments. @returns the number of the value */
  float(shape: readonly number[], range?: { from: number; to: number }): number;
  int(shape: readonly number[], range?: { from: number; to: number }): number;
  bool(shape: readonly number[]): number;
  /** One of the values for which `wanted` holds. */
  pick(wanted: (tensor: tf.Tensor, exact: boolean) => boolean): number | undefined;
  shape(value: number): number[];
  isStatic(size: number): boolean;
  readonly differentiable: boolean;
}

/** A step in a graph; undefined where the graph has nothing that it fits. */
export type Operation = (graph: Graph) => Step | undefined;

export const isFloat = ({ dtype }: tf.Tensor): boolean => dtype === "float32";
export const isInt = ({ dtype }: tf.Tensor): boolean => dtype === "int32";

/** On any float. */
export const onFloat =
  (run: (x: tf.Tensor) => tf.Tensor): Operation =>
  ({ pick }) => {
    const x = pick(isFloat);
    return x === undefined ? undefined : { run, inputs: [x] };
  };

/** What jumps: only where both engines have the same number, and without a gradient. */
export const onExact =
  (run: (x: tf.Tensor) => tf.Tensor): Operation =>
  ({ pick, differentiable }) => {
    const x = differentiable ? undefined : pick((tensor, exact) => exact && isFloat(tensor));
    return x === undefined ? undefined : { run, inputs: [x] };
  };

export const forwardOnly =
  (make: Operation): Operation =>
  (graph) =>
    graph.differentiable ? undefined : make(graph);

/** With a partner: another value that broadcasts, or a new argument of a smaller or the same shape. */
export const onPair =
  (run: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor, { alike = false }: { alike?: boolean } = {}): Operation =>
  ({ pick, shape, float, random }) => {
    const a = pick(isFloat);
    if (a === undefined) return undefined;
    const size = shape(a);
    const fits = (tensor: tf.Tensor): boolean =>
      isFloat(tensor) &&
      (alike ? `${tensor.shape}` === `${size}` && tensor.rank === size.length : broadcasts(tensor.shape, size));
    const known = random.below(2) === 0 ? pick(fits) : undefined;
    const partner = alike
      ? size
      : size.slice(random.below(size.length + 1)).map((one) => (random.below(3) === 0 ? 1 : one));
    return { run, inputs: random.below(2) === 0 ? [a, known ?? float(partner)] : [known ?? float(partner), a] };
  };

export function broadcasts(a: readonly number[], b: readonly number[]): boolean {
  return a.every((size, i) => {
    const other = b[b.length - a.length + i] ?? 1;
    return size === other || size === 1 || other === 1;
  });
}

/** Along one axis, counted from either end. */
export const along =
  (
    run: (x: tf.Tensor, axis: number, graph: Graph) => tf.Tensor | tf.Tensor[],
    more: Partial<Step> & { exact?: boolean; static?: boolean } = {},
  ): Operation =>
  (graph) => {
    const { pick, random, shape, isStatic } = graph;
    const x = pick((tensor, exact) => isFloat(tensor) && tensor.rank > 0 && (!more.exact || exact));
    if (x === undefined) return undefined;
    const { length } = shape(x);
    const axis = random.below(length);
    // Nor one of size 1: TensorFlow.js has no gradient of a list with one part.
    if (more.static && (!isStatic(shape(x)[axis]!) || shape(x)[axis] === 1)) return undefined;
    const asked = random.below(2) === 0 ? axis : axis - length;
    // What chance decides is decided now, not at each call.
    const decided = random.below(1000);
    const fixed: Graph = {
      ...graph,
      random: { below: (limit) => decided % limit, from: (list) => list[decided % list.length]! },
    };
    return { run: (x) => run(x!, asked, fixed), inputs: [x], ...more };
  };

/** On whole numbers. */
export const onInts =
  (run: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): Operation =>
  ({ pick, int, shape }) => {
    const a = pick(isInt) ?? int([3, 2]);
    return { run, inputs: [a, int(shape(a), { from: 1, to: 5 })] };
  };

export const anyFloat = (graph: Graph, rank: number): number | undefined =>
  graph.pick((x) => isFloat(x) && x.rank === rank);
export const positive = (x: tf.Tensor): tf.Tensor => tf.add(tf.square(x), 0.5);
export const inside = (x: tf.Tensor): tf.Tensor => tf.mul(tf.tanh(x), 0.9);
export const last = (x: tf.Tensor): number => x.shape[x.rank - 1]!;
