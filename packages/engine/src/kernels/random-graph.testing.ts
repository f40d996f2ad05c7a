import { tf } from "@clara/tensor";
import { type Argument, bools, type Fn, floats, ints, tensorOf } from "./check.testing.ts";
import { operations } from "./random-operations.testing.ts";
import type { Graph, Random, Step } from "./random-values.testing.ts";

/** A function made by chance, and arguments for it. */
export interface RandomGraph {
  readonly fn: Fn;
  readonly args: readonly Argument[];
  /** Arguments that the outputs can be differentiated by. */
  readonly gradient: readonly number[];
  /** What it does, in order. */
  readonly steps: readonly string[];
}

/** The size of B while a graph is made: sizes below do not depend on it, those above do, as 2·B. */
const B = 97;

interface Value {
  readonly tensor: tf.Tensor;
  /** Arguments that it can be differentiated by. */
  readonly by: ReadonlySet<number>;
  /** An argument, or one with its numbers moved: the same to the last bit in both engines, so it can be rounded or compared. */
  readonly exact: boolean;
}

/** Makes a graph of 3 to 9 operations; the same for the same seed. */
export function randomGraph(seed: number): RandomGraph {
  const random = createRandom(seed);
  const named = random.below(3) === 0;
  const differentiable = random.below(2) === 0;
  const values: Value[] = [];
  const args: Argument[] = [];
  const program: (Step | { readonly argument: number })[] = [];
  const steps: string[] = [];

  const argument = (made: Argument, differentiate: boolean): number => {
    program.push({ argument: args.length });
    args.push(made);
    const by = new Set(differentiate ? [args.length - 1] : []);
    return values.push({ tensor: tensorOf(made, { B }), by, exact: true }) - 1;
  };
  const salt = (): number => -1 - seed * 64 - args.length;
  const sizes = (shape: readonly number[]): Argument["shape"] => {
    if (!named) return shape;
    if (shape.some((size) => size > B)) throw unavailable;
    return shape.map((size) => (size === B ? "B" : size));
  };
  const graph: Graph = {
    random,
    float: (shape, range) => argument(floats(sizes(shape), { ...range, salt: salt() }), true),
    int: (shape, range) => argument(ints(sizes(shape), { ...range, salt: salt() }), false),
    bool: (shape) => argument(bools(sizes(shape), { salt: salt() }), false),
    pick(wanted) {
      const fitting = values.flatMap((value, i) => (wanted(value.tensor, value.exact) ? [i] : []));
      return fitting.length === 0 ? undefined : random.from(fitting);
    },
    shape: (i) => values[i]!.tensor.shape,
    isStatic: (size) => !named || size < B,
    differentiable,
  };

  const first = random.from([[2, 3], [4], [2, 3, 4], [3, 2, 2], [1, 4], [2, 1, 3, 2]]);
  graph.float(named ? [B, ...first.slice(1)] : first);
  const wanted = 3 + random.below(7);
  for (let tries = 0; steps.length < wanted && tries < 60; tries++) {
    const [name, make] = random.from(operations);
    const lengths = [values.length, args.length, program.length];
    const step = ifAvailable(() => make(graph));
    const made = step && attempt(step, values);
    if (!step || !made) {
      // What it has asked for in vain is left out.
      tf.dispose(values.splice(lengths[0]!).map(({ tensor }) => tensor));
      args.length = lengths[1]!;
      program.length = lengths[2]!;
      continue;
    }
    program.push(step);
    steps.push(name);
    const inputs = step.inputs.map((i) => values[i]!);
    const by = new Set(inputs.flatMap((one) => [...one.by]));
    for (const tensor of made) {
      const exact = inputs.every((one) => one.exact) && (step.moves === true || tensor.dtype !== "float32");
      values.push({ tensor, by, exact });
    }
  }
  const used = new Set(program.flatMap((step) => ("inputs" in step ? step.inputs : [])));
  const outputs = values.flatMap((_, i) => (used.has(i) ? [] : [i]));
  const gradient = differentiable
    ? [...new Set(outputs.flatMap((i) => (values[i]!.tensor.dtype === "float32" ? [...values[i]!.by] : [])))]
    : [];
  tf.dispose(values.map(({ tensor }) => tensor));

  const fn: Fn = (...given) => {
    const found: tf.Tensor[] = [];
    for (const step of program) {
      if ("argument" in step) found.push(given[step.argument]);
      else found.push(...([step.run(...step.inputs.map((i) => found[i]!))].flat() as tf.Tensor[]));
    }
    return outputs.map((i) => found[i]!);
  };
  return { fn, args, gradient, steps };
}

/** An argument as long as a size that is not B alone. */
const unavailable = new Error("no such argument");

function ifAvailable<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error === unavailable) return undefined;
    throw error;
  }
}

/** The step's tensors, unless they are too large, not finite, or TensorFlow.js refuses. */
function attempt({ run, inputs }: Step, values: readonly Value[]): tf.Tensor[] | undefined {
  const made = tf.tidy(() => [run(...inputs.map((i) => values[i]!.tensor))].flat() as tf.Tensor[]);
  const fine = made.every(({ size, rank }) => size > 0 && size < 5000 && rank < 6);
  const bounded = fine && made.every((tensor) => tensor.dataSync().every((x) => Math.abs(x) < 30));
  if (bounded) return made;
  tf.dispose(made);
  return undefined;
}

/** The generator of Numerical Recipes' "quick and dirty" kind, of which the upper bits are used. */
function createRandom(seed: number): Random {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  return { below, from: (list) => list[below(list.length)]! };
}
