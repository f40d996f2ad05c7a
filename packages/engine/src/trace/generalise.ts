import { ClaraError } from "@clara/core";
import type { Constant, Program } from "../program.ts";
import { fromTerms, product, type Size, type Sizes, type Term } from "../size.ts";

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
  if (traces.some((program) => skeleton(program) !== skeleton(base))) {
    throw depends("which operations it runs", "a loop or a condition over a size");
  }
  const size = (values: readonly number[], where: () => string): Size => fit(values, samples, names, where);
  return {
    ...base,
    values: base.values.map(({ dtype, shape }, id) => ({
      dtype,
      shape: shape.map((_, axis) =>
        size(
          traces.map(({ values }) => values[id]!.shape[axis] as number),
          () => `axis ${axis} of a tensor`,
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

/** Sample sizes as `generalise` needs them: odd primes, so that no two products agree by chance. */
export function sampleSizes(names: readonly string[], hints: Sizes = {}): Sizes[] {
  const primes = [11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107];
  const size = (i: number, round: number): number => (hints[names[i]!] ?? 0) + primes[i * 3 + round]!;
  const base = Object.fromEntries(names.map((name, i) => [name, size(i, 0)]));
  const single = names.map((name, i) => ({ ...base, [name]: size(i, 1) }));
  return [base, ...single, Object.fromEntries(names.map((name, i) => [name, size(i, 2)]))];
}

/**
 * The expression that has these values at the samples: a number, or (a sum of dimensions) · (a product of their powers).
 */
function fit(values: readonly number[], samples: readonly Sizes[], names: readonly string[], where: () => string): Size {
  const [first] = values as [number, ...number[]];
  if (values.every((value) => Object.is(value, first))) return first;
  const [base] = samples as [Sizes, ...Sizes[]];
  const found = fitted();
  if (found === undefined) {
    const seen = values.map((value, i) => `${value} at ${JSON.stringify(samples[i])}`).join(", ");
    throw depends(where(), `it is ${seen}`);
  }
  return found;

  function fitted(): Size | undefined {
    // Whole powers of a dimension show in the ratio of the two traces that differ in it alone.
    const powers: Record<string, number> = {};
    names.forEach((name, i) => {
      const ratio = values[i + 1]! / first;
      const power = Math.log(ratio) / Math.log(samples[i + 1]![name]! / base[name]!);
      const whole = Math.round(power);
      if (whole !== 0 && Math.abs(whole) <= 4 && Math.abs(power - whole) < 1e-4) powers[name] = whole;
    });
    const monomial = (at: Sizes): number =>
      Object.entries(powers).reduce((value, [name, power]) => value * at[name]! ** power, 1);
    const rest = values.map((value, i) => value / monomial(samples[i]!));
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
    const candidate = product([fromTerms(terms), fromTerms([{ times: 1, powers }])]);
    const agrees = values.every((value, i) => close(evaluateAt(candidate, samples[i]!), value));
    return agrees ? candidate : undefined;
  }
}

function evaluateAt(size: Size, at: Sizes): number {
  if (typeof size === "number") return size;
  return size.terms.reduce(
    (total, { times, powers }) =>
      total + Object.entries(powers).reduce((value, [name, power]) => value * at[name]! ** power, times),
    0,
  );
}

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
    calls.map(({ kernel, inputs, outputs, attrs }) => [kernel, inputs, outputs, outline(attrs)]),
    values.map(({ shape, dtype }) => [shape.length, dtype]),
    inputs,
    outputs,
    constants.map(({ value, data }) => [value, "everywhere" in data]),
  ]);
}

function outline(value: unknown): unknown {
  if (typeof value === "number") return 0;
  if (Array.isArray(value)) return value.map(outline);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, outline(part)]));
  }
  return value;
}

function depends(what: string, how: string): ClaraError {
  return new ClaraError(
    "engine",
    `compile: ${what} depends on a named dimension in a way that cannot be written down (${how}); ` +
      "give the specs numbers instead of names",
  );
}
