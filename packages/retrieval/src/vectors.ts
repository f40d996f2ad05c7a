import type { Hit, IndexedPassage } from "@clara/core";
import { checkVector } from "./check.ts";
import type { Entry, Plan } from "./ledger.ts";
import { topK } from "./top-k.ts";

/** A passage with its direction. */
export interface Directed extends Entry {
  /** [D], of length 1, or all zero when the passage's vector was. */
  readonly unit: Float32Array;
}

/**
 * Directions of all vectors that a plan puts, checked before anything is changed.
 *
 * @param dimension D of the index, or undefined when it is empty and takes any.
 * @throws ClaraError "input" when one is missing or not finite, "shape" when its width is another.
 */
export function directions(where: string, { puts }: Plan, dimension: number | undefined): Directed[] {
  let width = dimension;
  return puts.map(({ passage, entry }) => {
    const unit = direction(`${where}: passage ${JSON.stringify(passage.id)}`, passage.vector, width);
    width = unit.length;
    return { ...entry, unit };
  });
}

/** A copy of `vector` of length 1; all zero when it has none. @throws as `directions` does. */
export function direction(
  where: string,
  vector: IndexedPassage["vector"],
  dimension: number | undefined,
): Float32Array {
  const length = checkVector(where, vector, dimension);
  return length === 0 ? new Float32Array(vector!.length) : vector!.map((x) => x / length);
}

/** The cosine of two directions. In double precision and always in the same order, so that equal vectors tie exactly. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** The k nearest of all `passages`. */
export function scan(
  passages: Iterable<Directed>,
  query: Float32Array,
  k: number,
  passes: (entry: Entry) => boolean,
  source: string,
): Hit[] {
  const best = topK(k);
  for (const passage of passages) {
    if (!passes(passage)) continue;
    best.offer(cosine(passage.unit, query), passage.id);
  }
  return best.hits(source);
}
