import { ClaraError } from "@clara/core";
import type { StoredTensor, StoredTorchTensor } from "@clara/model";

/** A tensor of a file, which is read when it is asked for. */
export interface FloatTensor {
  /** The file and the tensor, for messages. */
  readonly where: string;
  readonly dtype: "F32" | "F16" | "BF16";
  readonly shape: readonly number[];
  /** What reads its bytes from `begin` to before `end`. A tensor of a torch file is held whole, as its checksum is of the whole. */
  open(): (begin: number, end: number) => Uint8Array;
}

/** @throws ClaraError "weights" when its numbers are of another kind. */
export function storedFloat(where: string, { dtype, shape, read }: StoredTensor): FloatTensor {
  if (dtype === "F32" || dtype === "F16" || dtype === "BF16") return { where, dtype, shape, open: () => read };
  const advice = "weights that are quantised already cannot be imported, take the model's own";
  throw new ClaraError("weights", `${where}: must be F32, F16 or BF16, got ${dtype}; ${advice}`);
}

export function torchFloat(where: string, { dtype, shape, read }: StoredTorchTensor): FloatTensor {
  return {
    where,
    dtype,
    shape,
    open() {
      const whole = read();
      return (begin, end) => whole.subarray(begin, end);
    },
  };
}

/** @throws ClaraError "weights" when it has another shape. */
export function checkShape({ where, shape }: FloatTensor, needed: readonly number[], why: string): void {
  if (shape.length === needed.length && needed.every((size, i) => size === shape[i])) return;
  throw new ClaraError("weights", `${where}: must be [${needed.join(", ")}], got [${shape.join(", ")}]; ${why}`);
}

export function widthOf({ dtype }: Pick<FloatTensor, "dtype">): 2 | 4 {
  return dtype === "F32" ? 4 : 2;
}
