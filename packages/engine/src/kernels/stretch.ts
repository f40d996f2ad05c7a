import type { Port } from "../program.ts";
import { type Size, sameShape } from "../size.ts";
import type { Operand } from "./kernel.ts";

/** `operand` in the shape of `output`, by stretching it where it is smaller. */
export function stretch(operand: Operand, output: Port): Operand {
  if (sameShape(operand.shape, output.shape)) return { ...operand, dtype: output.dtype };
  if (operand.everywhere !== undefined) return { ...output, everywhere: operand.everywhere };
  return { ...output, stretched: operand.stretched ?? operand };
}

/** The shape that operands have together as small as they come. */
export function smallShape(...operands: readonly Operand[]): readonly Size[] {
  const shapes = operands.map((one) => (one.everywhere !== undefined ? [] : (one.stretched ?? one).shape));
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) => {
    const sizes = shapes.map((shape) => shape[shape.length - rank + i] ?? 1);
    return sizes.find((size) => size !== 1) ?? 1;
  });
}
