import { ClaraError, type Filter, type FilterOperator, type Passage, type Scalar } from "@clara/core";
import { describe } from "./check.ts";

/** The parts of a passage that a filter can see. */
export type Filterable = Pick<Passage, "id" | "document" | "metadata">;

/** Nesting that nobody writes by hand; deeper filters would overflow the stack. */
const MAX_DEPTH = 64;

/**
 * Turns a filter into a predicate. Everything is checked here, so the predicate never throws.
 *
 * Fields are the passage's metadata, and `document`. Values compare by type and value, without conversion. A field
 * that a passage lacks is not equal to anything: `eq`, `in`, `lt`, `lte`, `gt`, `gte` and `exists` are false for it and
 * `ne` is true. Strings order by UTF-16 code unit (ISO dates order as dates). An empty `and` passes all, an empty `or`
 * none. `exists` takes no value or `true`; with `false` it passes passages that lack the field.
 *
 * @throws ClaraError "option" for an unknown shape or operator, or a value of the wrong type.
 */
export function compileFilter(filter: Filter): (passage: Filterable) => boolean {
  return compile(filter, "filter", 0);
}

function compile(filter: Filter, path: string, depth: number): (passage: Filterable) => boolean {
  if (depth > MAX_DEPTH) throw bad(path, `at most ${MAX_DEPTH} levels`, "more");
  if (typeof filter !== "object" || filter === null || Array.isArray(filter)) {
    throw bad(path, "an object with one of and, or, not, ids, field", describe(filter));
  }
  const kinds = ["and", "or", "not", "ids", "field"].filter((kind) => Object.hasOwn(filter, kind));
  if (kinds.length !== 1) {
    throw bad(
      path,
      "exactly one of and, or, not, ids, field",
      kinds.join(" and ") || Object.keys(filter).join(", ") || "none",
    );
  }
  if ("and" in filter) {
    const parts = compileAll(filter.and, `${path}.and`, depth);
    return (passage) => parts.every((part) => part(passage));
  }
  if ("or" in filter) {
    const parts = compileAll(filter.or, `${path}.or`, depth);
    return (passage) => parts.some((part) => part(passage));
  }
  if ("not" in filter) {
    const part = compile(filter.not, `${path}.not`, depth + 1);
    return (passage) => !part(passage);
  }
  if ("ids" in filter) {
    if (!Array.isArray(filter.ids) || !filter.ids.every((id) => typeof id === "string")) {
      throw bad(`${path}.ids`, "an array of strings", describe(filter.ids));
    }
    const ids = new Set<string>(filter.ids);
    return ({ id }) => ids.has(id);
  }
  return compileField(filter, path);
}

function compileAll(filters: readonly Filter[], path: string, depth: number): ((passage: Filterable) => boolean)[] {
  if (!Array.isArray(filters)) throw bad(path, "an array of filters", describe(filters));
  return filters.map((each: Filter, i) => compile(each, `${path}[${i}]`, depth + 1));
}

function compileField(filter: Extract<Filter, { field: string }>, path: string): (passage: Filterable) => boolean {
  const { field, op, value } = filter;
  if (typeof field !== "string") throw bad(`${path}.field`, "a string", describe(field));
  // Own properties only: a field named "constructor" must not find the one that every object has.
  const read = ({ document, metadata }: Filterable): Scalar | undefined =>
    field === "document" ? document : Object.hasOwn(metadata, field) ? metadata[field] : undefined;
  const valuePath = `${path} on "${field}", op "${String(op)}"`;

  switch (op) {
    case "eq":
    case "ne": {
      if (!isScalar(value)) throw bad(valuePath, "a string, number or boolean as value", describe(value));
      const wanted = op === "eq";
      return (passage) => (read(passage) === value) === wanted;
    }
    case "in": {
      if (!Array.isArray(value) || !value.every(isScalar)) {
        throw bad(valuePath, "an array of strings, numbers or booleans as value", describe(value));
      }
      const values = new Set<unknown>(value);
      return (passage) => values.has(read(passage));
    }
    case "lt":
    case "lte":
    case "gt":
    case "gte": {
      if (!isScalar(value) || typeof value === "boolean") {
        throw bad(valuePath, "a string or number as value", describe(value));
      }
      const compare = comparisons[op];
      return (passage) => {
        const found = read(passage);
        return typeof found === typeof value && compare(found as never, value as never);
      };
    }
    case "exists": {
      if (value !== undefined && typeof value !== "boolean")
        throw bad(valuePath, "no value, true or false", describe(value));
      const wanted = value !== false;
      return (passage) => (read(passage) !== undefined) === wanted;
    }
    default:
      throw bad(`${path}.op`, "one of eq, ne, in, lt, lte, gt, gte, exists", describe(op));
  }
}

const comparisons: Readonly<
  Record<Extract<FilterOperator, "lt" | "lte" | "gt" | "gte">, (a: never, b: never) => boolean>
> = {
  lt: (a, b) => a < b,
  lte: (a, b) => a <= b,
  gt: (a, b) => a > b,
  gte: (a, b) => a >= b,
};

function isScalar(value: unknown): value is Scalar {
  return typeof value === "string" || typeof value === "boolean" || (typeof value === "number" && !Number.isNaN(value));
}

function bad(path: string, needs: string, got: string): ClaraError {
  return new ClaraError("option", `compileFilter: ${path} needs ${needs}, got ${got}`);
}
