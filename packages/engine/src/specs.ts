import { ClaraError } from "@clara/core";
import type { tf } from "@clara/tensor";
import type { Dtype } from "./program.ts";
import type { HostTensor, HostTensors } from "./protocol.ts";
import { dimension, type Size, type Sizes } from "./size.ts";

/** What a function is called with. A name stands for a size that may differ from call to call. */
export interface Spec {
  /** Numbers, or names of sizes: `["B", "T", 384]`. */
  readonly shape: readonly (number | string)[];
  /** @default "float32" */
  readonly dtype?: Dtype;
}

export type Specs = Readonly<Record<string, Spec>>;

/** The tensors that a function with these specs is called with, each of its rank. */
export type InputsOf<S extends Specs> = { readonly [Name in keyof S]: TensorOfShape<S[Name]["shape"]> };

type TensorOfShape<Shape extends readonly unknown[]> = Shape extends readonly []
  ? tf.Scalar
  : Shape extends readonly [unknown]
    ? tf.Tensor1D
    : Shape extends readonly [unknown, unknown]
      ? tf.Tensor2D
      : Shape extends readonly [unknown, unknown, unknown]
        ? tf.Tensor3D
        : Shape extends readonly [unknown, unknown, unknown, unknown]
          ? tf.Tensor4D
          : tf.Tensor;

/** Bytes of the largest tensor that may cross to the worker. */
const maxBytes = 2 ** 31;

/** The names of sizes in specs, in order of appearance. @throws ClaraError "option" for a size or type that is none. */
export function namedSizes(specs: Specs): string[] {
  const names = new Set<string>();
  for (const [input, { shape, dtype = "float32" }] of Object.entries(specs)) {
    if (!["float32", "int32", "bool"].includes(dtype)) {
      throw new ClaraError("option", `compile: specs.${input}: dtype must be float32, int32 or bool, got ${dtype}`);
    }
    for (const size of shape) {
      if (typeof size === "string" && size !== "") names.add(size);
      else if (!Number.isInteger(size) || (size as number) < 1) {
        throw new ClaraError(
          "option",
          `compile: specs.${input}: sizes are names or integers of at least 1, got [${shape}]`,
        );
      }
    }
  }
  return [...names];
}

export function portOf({ shape, dtype = "float32" }: Spec): { shape: Size[]; dtype: Dtype } {
  return { shape: shape.map((size) => (typeof size === "string" ? dimension(size) : size)), dtype };
}

/**
 * Checks inputs against their specs.
 *
 * @returns the size of each name.
 * @throws ClaraError "shape" for a missing input, a wrong rank, size or type, one name with two sizes, or no numbers.
 */
export function bindSizes(where: string, specs: Specs, inputs: HostTensors): Sizes {
  const sizes: Record<string, number> = {};
  for (const [name, spec] of Object.entries(specs)) {
    const given: Partial<HostTensor> | undefined = inputs[name];
    const wanted = `${spec.dtype ?? "float32"} [${spec.shape.join(", ")}]`;
    const refuse = (got: string): ClaraError =>
      new ClaraError("shape", `${where}: the input ${name} must be ${wanted}, got ${got}`);
    if (!given) throw refuse("nothing");
    const { data, shape } = given;
    if (!ArrayBuffer.isView(data) || !Array.isArray(shape)) throw refuse("something else than { data, shape }");
    const got = `${typeOf(data)} [${shape.join(", ")}]`;
    if (typeOf(data) !== (spec.dtype ?? "float32") || shape.length !== spec.shape.length) throw refuse(got);
    shape.forEach((size, axis) => {
      const expected = spec.shape[axis]!;
      if (!(Number.isInteger(size) && size >= 1)) throw refuse(`${got}: sizes are whole numbers of at least 1`);
      if (typeof expected === "number") {
        if (expected !== size) throw refuse(got);
        return;
      }
      const known = sizes[expected] ?? size;
      if (known !== size) throw refuse(`${got}, with ${expected} = ${known} elsewhere`);
      sizes[expected] = size;
    });
    const count = shape.reduce((a, b) => a * b, 1);
    if (count !== data.length) throw refuse(`${got} with ${data.length} numbers`);
    if (data.byteLength >= maxBytes) {
      throw refuse(
        `${got}: ${(data.byteLength / 2 ** 30).toFixed(1)} GiB, and at most 2 GiB can be passed; split the batch`,
      );
    }
  }
  const foreign = Object.keys(inputs).find((name) => !(name in specs));
  if (foreign !== undefined) {
    throw new ClaraError(
      "shape",
      `${where}: there is no input ${foreign}; inputs are ${Object.keys(specs).join(", ")}`,
    );
  }
  return sizes;
}

export function typeOf(data: HostTensor["data"]): string {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Int32Array) return "int32";
  return data instanceof Uint8Array ? "bool" : Object.prototype.toString.call(data).slice(8, -1);
}
