import { ClaraError } from "@clara/core";

/** The sizes that `dims` bound, by name. */
export type Sizes<Names extends readonly (string | number)[]> = {
  readonly [Name in Extract<Names[number], string>]: number;
};

/**
 * Checks a tensor's shape and names its sizes.
 *
 * ```
 * const { B, T } = dims("linear: x", x, ["B", "T", 384]);
 * ```
 *
 * @param where what is checked, as the message should call it: `function: argument`.
 * @param names one per dimension: a string binds the size (a repeated one must be equal), a number must match.
 * @throws ClaraError "shape" when the rank or a size differs: `linear: x must be [B, T, 384], got [2, 3, 5]`.
 */
export function dims<const Names extends readonly (string | number)[]>(
  where: string,
  tensor: { readonly shape: readonly number[] },
  names: Names,
): Sizes<Names> {
  const { shape } = tensor;
  const sizes: Record<string, number> = {};
  const fits = names.every((name, i) => {
    const size = shape[i];
    if (size === undefined) return false;
    if (typeof name === "number") return size === name;
    sizes[name] ??= size;
    return sizes[name] === size;
  });
  if (!fits || shape.length !== names.length) {
    throw new ClaraError("shape", `${where} must be [${names.join(", ")}], got [${shape.join(", ")}]`);
  }
  return sizes as Sizes<Names>;
}
