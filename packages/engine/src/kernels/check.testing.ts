import { tf } from "@clara/tensor";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { expect } from "vitest";
import { type LowerOptions, lower } from "../onnx/lower.ts";
import type { Data, Dtype, Program } from "../program.ts";
import { dimension, evaluate, type Size, type Sizes } from "../size.ts";
import { generalise, sampleSizes } from "../trace/generalise.ts";
import { trace } from "../trace/trace.ts";

process.env.ORT_DISABLE_TELEMETRY = "1"; // read when the library loads
const ort = await import("onnxruntime-node");

/** An input of a function under test: its shape may have named dimensions, its values are made for each size. */
export interface Argument {
  readonly shape: readonly (number | string)[];
  readonly dtype: Dtype;
  readonly values: (index: number) => number;
}

export type Shape = Argument["shape"];

interface Range {
  readonly from?: number;
  readonly to?: number;
  /** Other numbers for another salt. @default one of its own for each argument */
  readonly salt?: number;
}

/** Random numbers between `from` and `to`, or those given, again and again. */
export function floats(shape: Shape, given: readonly number[] | Range = {}): Argument {
  if (isList(given)) return { shape, dtype: "float32", values: (i) => given[i % given.length]! };
  const { from = -2, to = 2, salt = nextSalt() } = given;
  return { shape, dtype: "float32", values: (i) => Math.fround(from + (to - from) * hash(i, salt)) };
}

/** Random whole numbers from `from` to `to`, both included, or those given, again and again. */
export function ints(shape: Shape, given: readonly number[] | Range = {}): Argument {
  if (isList(given)) return { shape, dtype: "int32", values: (i) => given[i % given.length]! };
  const { from = -5, to = 5, salt = nextSalt() } = given;
  return { shape, dtype: "int32", values: (i) => from + Math.floor(hash(i, salt) * (to - from + 1)) };
}

export function bools(shape: Shape, { salt = nextSalt() }: Pick<Range, "salt"> = {}): Argument {
  return { shape, dtype: "bool", values: (i) => (hash(i, salt) < 0.5 ? 0 : 1) };
}

const isList = (given: readonly number[] | Range): given is readonly number[] => Array.isArray(given);

let salts = 0;
const nextSalt = (): number => ++salts;

/** A number from 0 to 1 for each index: a case has the same numbers however many are asked for. */
function hash(index: number, salt: number): number {
  let x = Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(salt, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39);
  return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
}

// biome-ignore lint/suspicious/noExplicitAny: a table of functions of any number of tensors, of any rank.
export type Fn = (...tensors: any[]) => tf.Tensor | readonly tf.Tensor[];

export interface CheckOptions {
  /** Which inputs to differentiate by: all of float32 when left out and an output is of float32, none when false. */
  readonly gradient?: false | readonly number[] | undefined;
  /** Largest relative L2 difference of a value. @default 1e-5 */
  readonly tolerance?: number | undefined;
  /** Kernels that must have been called. */
  readonly calls?: readonly string[] | undefined;
  /** Also with inputs that are one number everywhere, and with inputs that are stretched to their shape. @default false */
  readonly forms?: boolean | undefined;
  /** Sizes of the named dimensions at which to run; the first is also that of fixed shapes. */
  readonly sizes?: readonly Sizes[] | undefined;
}

/** Sizes unlike those of the traces, 1 among them. */
const defaultSizes: readonly Sizes[] = [
  { B: 3, T: 4 },
  { B: 1, T: 1 },
  { B: 6, T: 2 },
];

/**
 * Compiles `fn` and runs it in ONNX Runtime; expects what TensorFlow.js computes without, gradients included.
 *
 * The gradient is that of a weighted sum of the outputs, with a weight for each number: no mistake can cancel out.
 */
export async function check(fn: Fn, args: readonly Argument[], options: CheckOptions = {}): Promise<Program> {
  const { tolerance = 1e-5, calls = [], sizes = defaultSizes } = options;
  const whole = withGradients(fn, args, options);
  const program = compileProgram(whole, args);
  const called = new Set(program.calls.map(({ kernel }) => kernel));
  for (const kernel of calls) expect([...called], "kernels called").toContain(kernel);
  const run = await session(program);
  const names = namesOf(args);
  for (const at of names.length > 0 ? sizes : [{}]) {
    const inputs = args.map((argument) => tensorOf(argument, at));
    const actual = await run(Object.fromEntries(inputs.map((tensor, i) => [`x${i}`, tensor])));
    const expected = tf.tidy(() => [whole(...inputs)].flat() as tf.Tensor[]);
    const place = names.length > 0 ? ` at ${JSON.stringify(at)}` : "";
    for (const [i, tensor] of expected.entries()) expectSame(actual[i]!, tensor, `output ${i}${place}`, tolerance);
    tf.dispose([...inputs, ...expected]);
  }
  return program;
}

/** The program of `fn` over arguments, at every size when they have named dimensions. */
export function compileProgram(fn: Fn, args: readonly Argument[]): Program {
  const names = namesOf(args);
  const at = (sizes: Sizes): Program => {
    const inputs = Object.fromEntries(
      args.map(({ shape, dtype }, i) => [`x${i}`, { shape: shape.map((one) => sizes[one] ?? Number(one)), dtype }]),
    );
    const called = (given: Record<string, tf.Tensor>): tf.TensorContainer =>
      [fn(...args.map((_, i) => given[`x${i}`]!))].flat() as tf.Tensor[];
    return trace({ fn: called, inputs, weights: {} }).program;
  };
  if (names.length === 0) return at({});
  const samples = sampleSizes(names);
  return generalise(samples.map(at), samples, names);
}

/** Starts a session. @returns a function from inputs to outputs, in the program's order */
export async function session(
  program: Program,
  options: LowerOptions = {},
  more: InferenceSession.SessionOptions = {},
): Promise<(inputs: Record<string, tf.Tensor>) => Promise<Tensor[]>> {
  const { model, externalData } = lower(program, options);
  const settings: InferenceSession.SessionOptions = {
    logSeverityLevel: 3,
    intraOpNumThreads: 1,
    ...more,
    ...(externalData.length > 0 && { externalData: externalData.map(({ path, data }) => ({ path, data })) }),
  };
  const running = await ort.InferenceSession.create(model, settings);
  return async (inputs) => {
    const feeds = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [`in.${name}`, ortTensor(tensor)]));
    const found = await running.run(feeds);
    return program.outputs.map(({ name }) => found[`out.${name}`]!);
  };
}

export function ortTensor(tensor: tf.Tensor): Tensor {
  const { dtype, shape } = tensor;
  return new ort.Tensor(dtype as "float32", tensor.dataSync() as Float32Array, shape);
}

/** Shape, type and numbers; NaN and infinities must be in the same places. */
export function expectSame(actual: Tensor, expected: tf.Tensor, what: string, tolerance: number): void {
  expect([actual.type, ...actual.dims], what).toEqual([expected.dtype, ...expected.shape]);
  const [got, want] = [Array.from(actual.data as Float32Array), Array.from(expected.dataSync())];
  const special = (value: number): number => (Number.isFinite(value) ? 0 : value);
  if (want.some((value) => !Number.isFinite(value))) expect(got.map(special), what).toEqual(want.map(special));
  if (actual.type !== "float32") {
    expect(got, what).toEqual(want);
    return;
  }
  let [off, size] = [0, 0];
  want.forEach((value, i) => {
    if (!Number.isFinite(value)) return;
    off += (got[i]! - value) ** 2;
    size += value ** 2;
  });
  const relative = Math.sqrt(off) / Math.max(Math.sqrt(size), 0.1);
  if (!(relative <= tolerance)) {
    expect.fail(`${what}: relative difference ${relative}; got ${got.slice(0, 12)}, expected ${want.slice(0, 12)}`);
  }
}

export function tensorOf({ shape, dtype, values }: Argument, sizes: Sizes): tf.Tensor {
  const sizeOf = (one: number | string): number => (typeof one === "number" ? one : evaluate(named(one), sizes));
  const numbers = shape.map(sizeOf);
  const data = Array.from({ length: tf.util.sizeFromShape(numbers) }, (_, i) => values(i));
  return tf.tensor(typed(data, dtype), numbers, dtype);
}

const named = (name: string): Size => dimension(name);

function typed(values: readonly number[], dtype: Dtype): Data {
  if (dtype === "int32") return Int32Array.from(values);
  return dtype === "bool" ? Uint8Array.from(values) : Float32Array.from(values);
}

function namesOf(args: readonly Argument[]): string[] {
  return [...new Set(args.flatMap(({ shape }) => shape.filter((one) => typeof one === "string")))];
}

/** `fn`, in the forms that are asked for, and behind its outputs the gradients of a weighted sum of them. */
export function withGradients(fn: Fn, args: readonly Argument[], { gradient, forms }: CheckOptions): Fn {
  const outer = forms ? withForms(fn, args) : fn;
  const floating = args.flatMap(({ dtype }, i) => (dtype === "float32" ? [i] : []));
  const by = gradient === false ? [] : (gradient ?? floating);
  if (by.length === 0) return outer;
  return (...tensors) => {
    const values = [outer(...tensors)].flat() as tf.Tensor[];
    if (values.every(({ dtype }) => dtype !== "float32")) return values;
    const loss = (...chosen: tf.Tensor[]): tf.Tensor => {
      const given = tensors.map((tensor, i) => chosen[by.indexOf(i)] ?? tensor);
      const parts = [fn(...given)].flat() as tf.Tensor[];
      return tf.addN(parts.filter(({ dtype }) => dtype === "float32").map(weightedSum));
    };
    return [...values, ...tf.grads(loss)(by.map((i) => tensors[i]))];
  };
}

/** Σ out · w, with weights from -1 to 1 that do not repeat. */
function weightedSum(out: tf.Tensor): tf.Tensor {
  const weights = tf.cos(tf.add(tf.mul(tf.range(0, out.size), 1.3), 0.4));
  return tf.sum(tf.mul(out, tf.reshape(weights, out.shape)));
}

/** `fn` as it is, and for each input: with that input one number everywhere, and with it stretched from one number. */
function withForms(fn: Fn, args: readonly Argument[]): Fn {
  return (...tensors) => {
    const replaced = (at: number, by: tf.Tensor): Fn =>
      ((...all: tf.Tensor[]) => fn(...all.map((one, i) => (i === at ? by : one)))) as Fn;
    return [
      fn(...tensors),
      ...args.flatMap(({ values, dtype }, i) => {
        const { shape, rank } = tensors[i] as tf.Tensor;
        const constant = tf.fill(shape, values(0), dtype as "float32");
        if (rank === 0) return [replaced(i, constant)(...tensors)];
        const first = tf.slice(tensors[i], new Array(rank).fill(0), new Array(rank).fill(1));
        return [constant, tf.broadcastTo(first, shape)].map((by) => replaced(i, by)(...tensors));
      }),
    ].flat() as tf.Tensor[];
  };
}
