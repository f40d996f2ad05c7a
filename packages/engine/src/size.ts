/**
 * A number that may depend on the named dimensions of a function's inputs: a number, or a sum of terms
 * `times · Π dim^power`. `B·T + 1` is `[{ times: 1, powers: { B: 1, T: 1 } }, { times: 1, powers: {} }]`.
 */
export type Size = number | Expression;
export type Expression = { readonly terms: readonly Term[] };
export type Term = { readonly times: number; readonly powers: Readonly<Record<string, number>> };

/** The value of each named dimension. */
export type Sizes = Readonly<Record<string, number>>;

export function dimension(name: string): Expression {
  return { terms: [{ times: 1, powers: { [name]: 1 } }] };
}

/** A size from terms: equal powers are joined, in one order, so that equal sizes have equal JSON. */
export function fromTerms(terms: readonly Term[]): Size {
  const joined = new Map<string, Term>();
  for (const { times, powers } of terms) {
    const sorted = Object.fromEntries(
      Object.entries(powers)
        .filter(([, power]) => power !== 0)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
    const key = JSON.stringify(sorted);
    joined.set(key, { times: (joined.get(key)?.times ?? 0) + times, powers: sorted });
  }
  const kept = [...joined].filter(([, { times }]) => times !== 0).sort(([a], [b]) => (a < b ? -1 : 1));
  const [only] = kept;
  if (only === undefined) return 0;
  if (kept.length === 1 && only[0] === "{}") return only[1].times;
  return { terms: kept.map(([, term]) => term) };
}

export function product(sizes: readonly Size[]): Size {
  if (sizes.every((size) => typeof size === "number")) return sizes.reduce<number>((a, b) => a * b, 1);
  let terms: Term[] = [{ times: 1, powers: {} }];
  for (const size of sizes) {
    terms = terms.flatMap((a) =>
      termsOf(size).map((b) => {
        const powers: Record<string, number> = { ...a.powers };
        for (const [name, power] of Object.entries(b.powers)) powers[name] = (powers[name] ?? 0) + power;
        return { times: a.times * b.times, powers };
      }),
    );
  }
  return fromTerms(terms);
}

export function sum(sizes: readonly Size[]): Size {
  if (sizes.every((size) => typeof size === "number")) return sizes.reduce<number>((a, b) => a + b, 0);
  return fromTerms(sizes.flatMap((size) => [...termsOf(size)]));
}

export function equal(a: Size, b: Size): boolean {
  return typeof a === "number" || typeof b === "number" ? a === b : JSON.stringify(a) === JSON.stringify(b);
}

export function sameShape(a: readonly Size[], b: readonly Size[]): boolean {
  return a.length === b.length && a.every((size, i) => equal(size, b[i]!));
}

export function evaluate(size: Size, sizes: Sizes): number {
  if (typeof size === "number") return size;
  return size.terms.reduce(
    (total, { times, powers }) =>
      total + Object.entries(powers).reduce((value, [name, power]) => value * sizes[name]! ** power, times),
    0,
  );
}

/** A size for people: `2·B·T - 1`. */
export function text(size: Size): string {
  if (typeof size === "number") return String(size);
  const terms = size.terms.map(({ times, powers }) => {
    const factors = Object.entries(powers).map(([name, power]) => (power === 1 ? name : `${name}^${power}`));
    return [...(times === 1 && factors.length > 0 ? [] : [times]), ...factors].join("·");
  });
  return terms.join(" + ").replaceAll("+ -", "- ");
}

export function isExpression(value: unknown): value is Expression {
  return typeof value === "object" && value !== null && "terms" in value;
}

function termsOf(size: Size): readonly Term[] {
  return typeof size === "number" ? [{ times: size, powers: {} }] : size.terms;
}
