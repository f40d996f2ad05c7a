import { ClaraError, type Query, type SearchOptions, throwIfAborted } from "@clara/core";

/**
 * What every search checks first. `where` names the function in the message.
 *
 * @throws ClaraError "aborted", "option" (k) or "input" (the question is not a string).
 */
export function checkSearch(where: string, query: Query, options: SearchOptions): void {
  if (typeof options !== "object" || options === null) {
    throw new ClaraError(
      "option",
      `${where}: needs options with k, the number of hits wanted, got ${describe(options)}`,
    );
  }
  throwIfAborted(options.signal, where);
  checkCount(where, "k", options.k);
  if (typeof query?.text !== "string") {
    throw new ClaraError("input", `${where}: query.text must be a string, got ${describe(query?.text)}`);
  }
}

/** @throws ClaraError "option" unless `value` is a whole number of at least `least`. */
export function checkCount(where: string, name: string, value: number, least = 1): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new ClaraError(
      "option",
      `${where}: ${name} must be a whole number of at least ${least}, got ${describe(value)}`,
    );
  }
}

/** @throws ClaraError "option" unless `low <= value <= high`. */
export function checkRange(where: string, name: string, value: number, low: number, high: number): void {
  if (typeof value !== "number" || !(value >= low && value <= high)) {
    throw new ClaraError("option", `${where}: ${name} must be a number from ${low} to ${high}, got ${describe(value)}`);
  }
}

/**
 * Checks a dense key and returns its Euclidean length.
 *
 * @param vector [D]
 * @param dimension D, or undefined while the index is empty and takes any.
 * @throws ClaraError "input" when it is missing or not finite, "shape" when its width is another.
 */
export function checkVector(where: string, vector: Float32Array | undefined, dimension: number | undefined): number {
  if (!(vector instanceof Float32Array)) {
    throw new ClaraError("input", `${where}: needs a vector (Float32Array), got ${describe(vector)}`);
  }
  if (vector.length === 0 || (dimension !== undefined && vector.length !== dimension)) {
    const wanted = dimension === undefined ? "at least 1 number" : `${dimension} numbers, as in the index`;
    throw new ClaraError("shape", `${where}: the vector must have ${wanted}, got ${vector.length}`);
  }
  let squares = 0;
  for (let i = 0; i < vector.length; i++) {
    const x = vector[i]!;
    squares += x * x; // in double precision: the square of no float32 overflows or vanishes
  }
  if (!Number.isFinite(squares)) {
    const at = vector.findIndex((x) => !Number.isFinite(x));
    throw new ClaraError("input", `${where}: the vector must be finite, got ${vector[at]} at position ${at}`);
  }
  return Math.sqrt(squares);
}

/** A value as an error message shows it: short, and never a dump. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === "object") return Array.isArray(value) ? `an array of ${value.length}` : "an object";
  return typeof value === "function" ? "a function" : String(value);
}
