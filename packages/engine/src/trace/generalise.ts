import { ClaraError } from "@clara/core";
import type { Call, Constant, Program } from "../program.ts";
import { dimension, evaluate, fromTerms, product, type Size, type Sizes, sum, type Term } from "../size.ts";

/**
 * One program from several traces of the same function at different sizes: every number that differs between them
 * becomes an expression over the named dimensions, proved on the last trace, which no expression was fitted to.
 *
 * @param traces at `samples[i]`. The first is the base, each of the next ones changes one dimension, in the order of
 *   `names`, and the last changes all.
 * @throws ClaraError "engine" when the function does something else at another size.
 */
export function generalise(traces: readonly Program[], samples: readonly Sizes[], names: readonly string[]): Program {
  const [base] = traces as [Program, ...Program[]];
  const expected = skeleton(base);
  traces.forEach((program, i) => {
    if (skeleton(program) !== expected) throw otherwise(base, program, samples[0]!, samples[i]!);
  });
  // A few sizes make up all shapes: each is fitted once.
  const fitted = new Map<string, Size>();
  const size = (values: readonly number[], where: () => string): Size => {
    const [first] = values as [number, ...number[]];
    if (values.every((value) => Object.is(value, first))) return first;
    const key = values.join(" ");
    const found = fitted.get(key) ?? fit(values, samples, names, where);
    fitted.set(key, found);
    return found;
  };
  const makerOf = (value: number): string => {
    const call = base.calls.find(({ outputs }) => outputs.includes(value));
    return call ? `what ${call.kernel} gives` : "a constant";
  };
  return {
    ...base,
    values: base.values.map(({ dtype, shape }, id) => ({
      dtype,
      shape: shape.map((_, axis) =>
        size(
          traces.map(({ values }) => values[id]!.shape[axis] as number),
          () => `axis ${axis} of ${makerOf(id)}`,
        ),
      ),
    })),
    calls: base.calls.map((call, at) => ({
      ...call,
      attrs: merge(
        traces.map(({ calls }) => calls[at]!.attrs),
        (values) => size(values, () => `an attribute of ${call.kernel}`),
        () => call.kernel,
      ) as Record<string, unknown>,
    })),
    constants: base.constants.map((_, at) =>
      constant(
        traces.map(({ constants }) => constants[at]!),
        (values) => size(values, () => "a constant"),
      ),
    ),
  };
}

/**
 * Sample sizes as `generalise` needs them: primes, so that no two products agree by chance, and at last one more than a
 * prime, so that what depends on whether a size is even does not pass for a constant.
 */
export function sampleSizes(names: readonly string[], leastSizes: Sizes = {}): Sizes[] {
  const primes = primesFrom(11, names.length * 3);
  const at = (round: number): Sizes =>
    Object.fromEntries(names.map((name, i) => [name, (leastSizes[name] ?? 0) + primes[i * 3 + round]!]));
  const [base, other, last] = [at(0), at(1), at(2)];
  const single = names.map((name) => ({ ...base, [name]: other[name]! }));
  return [base, ...single, Object.fromEntries(names.map((name) => [name, last[name]! + 1]))];
}

function primesFrom(start: number, count: number): number[] {
  const found: number[] = [];
  for (let n = start; found.length < count; n++) {
    let divisor = 2;
    while (n % divisor !== 0) divisor++;
    if (divisor === n) found.push(n);
  }
  return found;
}

/**
 * The expression that has these values at the samples: a number, (a sum of dimensions) · (a product of their powers), or
 * a product of such factors as `T - 1`.
 */
function fit(
  values: readonly number[],
  samples: readonly Sizes[],
  names: readonly string[],
  where: () => string,
): Size {
  const candidates = [sumTimesPowers, productOfSums].map((form) => form(values, samples, names));
  const found = candidates.find(
    (size) => size !== undefined && values.every((value, i) => close(evaluate(size, samples[i]!), value)),
  );
  if (found !== undefined) return found;
  const seen = values.map((value, i) => `${value} at ${JSON.stringify(samples[i])}`).join(", ");
  throw depends(where(), `it is ${seen}`);
}

type Form = (values: readonly number[], samples: readonly Sizes[], names: readonly string[]) => Size | undefined;

/** Whole powers of a dimension show in the ratio of the two traces that differ in it alone. */
const powersOf = (
  values: readonly number[],
  samples: readonly Sizes[],
  names: readonly string[],
): Record<string, number> =>
  Object.fromEntries(
    names.flatMap((name, i) => {
      const power = Math.log(values[i + 1]! / values[0]!) / Math.log(samples[i + 1]![name]! / samples[0]![name]!);
      const whole = Math.round(power);
      return whole !== 0 && Math.abs(whole) <= 4 && Math.abs(power - whole) < 1e-4 ? [[name, whole]] : [];
    }),
  );

const sumTimesPowers: Form = (values, samples, names) => {
  const [base] = samples as [Sizes, ...Sizes[]];
  const powers = fromTerms([{ times: 1, powers: powersOf(values, samples, names) }]);
  const rest = values.map((value, i) => value / evaluate(powers, samples[i]!));
  const terms: Term[] = [];
  let offset = rest[0]!;
  names.forEach((name, i) => {
    const slope = (rest[i + 1]! - rest[0]!) / (samples[i + 1]![name]! - base[name]!);
    if (Math.abs(slope) < 1e-6 * Math.abs(rest[0]!)) return;
    const times = snap(slope);
    terms.push({ times, powers: { [name]: 1 } });
    offset -= times * base[name]!;
  });
  terms.push({ times: snap(offset), powers: {} });
  return product([fromTerms(terms), powers]);
};

/** From the ratio r of two traces in which a dimension is a and b: (b + c) / (a + c) = r. */
const productOfSums: Form = (values, samples, names) => {
  const powers = powersOf(values, samples, names);
  const factors = names.flatMap((name, i): Size[] => {
    if (powers[name] !== undefined) return [fromTerms([{ times: 1, powers: { [name]: powers[name] } }])];
    const [a, b] = [samples[0]![name]!, samples[i + 1]![name]!];
    const ratio = values[i + 1]! / values[0]!;
    if (ratio === 1) return [];
    return [sum([dimension(name), snap((b - ratio * a) / (ratio - 1))])];
  });
  const times = snap(values[0]! / evaluate(product(factors), samples[0]!));
  return Number.isFinite(times) ? product([times, ...factors]) : undefined;
};

/** Numbers may have passed through float32. */
const close = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-6 * Math.max(Math.abs(a), Math.abs(b));
const snap = (value: number): number =>
  Math.abs(value - Math.round(value)) < 1e-5 * Math.max(1, Math.abs(value)) ? Math.round(value) : value;

/** The same JSON with numbers merged where they differ. */
function merge(parts: readonly unknown[], number: (values: number[]) => Size, where: () => string): unknown {
  const [first] = parts;
  if (parts.every((part) => typeof part === "number")) return number(parts as number[]);
  if (Array.isArray(first)) {
    return first.map((_, i) =>
      merge(
        parts.map((part) => (part as unknown[])[i]),
        number,
        where,
      ),
    );
  }
  if (typeof first === "object" && first !== null) {
    return Object.fromEntries(
      Object.keys(first).map((key) => [
        key,
        merge(
          parts.map((part) => (part as Record<string, unknown>)[key]),
          number,
          where,
        ),
      ]),
    );
  }
  if (parts.some((part) => part !== first)) throw depends(`an attribute of ${where()}`, "it is not a number");
  return first;
}

function constant(parts: readonly Constant[], number: (values: number[]) => Size): Constant {
  const [first] = parts as [Constant, ...Constant[]];
  const data = parts.map((part) => part.data);
  if (data.every((part) => "everywhere" in part)) {
    return { value: first.value, data: { everywhere: number(data.map((part) => part.everywhere as number)) } };
  }
  const [array] = data as unknown as [ArrayLike<number>];
  for (const part of data as unknown as ArrayLike<number>[]) {
    if (part.length === array.length && Array.from(part).every((value, i) => Object.is(value, array[i]))) continue;
    throw depends("a constant of many numbers", "make it with tf.range and operations, or pass it in");
  }
  return first;
}

/** What must be equal between traces: the calls, how they are wired, and the ranks. */
function skeleton({ calls, values, inputs, outputs, constants }: Program): string {
  return JSON.stringify([
    calls.map(step),
    values.map(({ shape, dtype }) => [shape.length, dtype]),
    inputs,
    outputs,
    constants.map(({ value, data }) => [value, "everywhere" in data]),
  ]);
}

const step = ({ kernel, inputs, outputs, attrs }: Call): unknown => [kernel, inputs, outputs, outline(attrs)];

function outline(value: unknown): unknown {
  if (typeof value === "number") return 0;
  if (Array.isArray(value)) return value.map(outline);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, outline(part)]));
  }
  return value;
}

/** The first difference between what two traces run. */
function otherwise(a: Program, b: Program, at: Sizes, other: Sizes): ClaraError {
  const place = a.calls.findIndex(
    (call, i) => JSON.stringify(step(call)) !== JSON.stringify(b.calls[i] && step(b.calls[i])),
  );
  const kernel = (place >= 0 ? a : b).calls[place >= 0 ? place : a.calls.length]?.kernel;
  const counts = `${a.calls.length} operations at ${JSON.stringify(at)}, ${b.calls.length} at ${JSON.stringify(other)}`;
  const first = kernel
    ? `, the first that differs is number ${(place >= 0 ? place : a.calls.length) + 1}, ${kernel}`
    : "";
  return depends("which operations it runs", `${counts}${first}: a loop or a condition over a size`);
}

function depends(what: string, how: string): ClaraError {
  return new ClaraError(
    "engine",
    `compile: ${what} depends on a named dimension in a way that cannot be written down (${how}); ` +
      "give the specs numbers instead of names",
  );
}
