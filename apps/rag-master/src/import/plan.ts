import type { NamedTensor } from "@clara/model";
import { packedPath } from "@clara/model";
import type { FloatTensor } from "./float-tensor.ts";
import { packedPieces, turnedPieces, wholePieces } from "./pieces.ts";
import type { PlannedPart } from "./write-tensors.ts";

/** How linear maps and head are kept. Words, norms, biases and adapters are always float32. */
export const precisions = ["float32", "int8", "int4"] as const;
export type Precision = (typeof precisions)[number];

/** Numbers of a row that share a scale. */
const blockSize = 32;

export type SourceTensor = NamedTensor & { readonly stored: FloatTensor };

/** A decoder's tensors by our paths. A tied head in few bits has packed numbers of its own, as `quantizeDecoder` makes them. */
export function baseParts(tensors: readonly SourceTensor[], precision: Precision, tiedHead: boolean): PlannedPart[] {
  return tensors.flatMap((tensor) => {
    const part = basePart(tensor, precision);
    if (!tiedHead || tensor.path !== "words") return [part];
    const head = basePart({ ...tensor, path: "head" }, precision);
    return head.tensors.length === 2 ? [part, head] : [part];
  });
}

/** A decoder's tensor by our path; whole where its rows are no whole blocks. */
function basePart({ path, turned, stored }: SourceTensor, precision: Precision): PlannedPart {
  const [O, I = 0] = stored.shape as [number, number];
  const name = precision === "float32" ? undefined : packedPath(path, I, blockSize);
  if (name === undefined) return wholePart(path, turned, stored);
  const bits = precision === "int8" ? 8 : 4;
  return {
    name: path,
    tensors: [
      { name: `${name}.packed`, dtype: "I32", shape: [O, (I * bits) / 32] },
      { name: `${name}.scales`, dtype: "F32", shape: [O, I / blockSize] },
    ],
    pieces: () => packedPieces(stored, { bits, blockSize }),
  };
}

/** A tensor as float32 by our path, turned where ours is. */
export function wholePart(path: string, turned: boolean, stored: FloatTensor): PlannedPart {
  const shape = turned ? stored.shape.toReversed() : stored.shape;
  return {
    name: path,
    tensors: [{ name: path, dtype: "F32", shape }],
    pieces: () => (turned ? turnedPieces(stored) : wholePieces(stored)),
  };
}
