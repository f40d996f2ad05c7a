import { ClaraError, type Weights } from "@clara/core";
import { type NBits, quantizeNBits } from "@clara/tensor";
import { decoderTensors } from "./decoder-arrays.ts";
import type { DecoderConfig } from "./decoder-config.ts";

/** Arrays by path, of which some are whole numbers: packed weights. An engine takes them as they are. */
export type PackedArrays = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly data: Float32Array | Int32Array }>
>;

export interface QuantizeDecoderOptions {
  readonly bits: NBits;
  /** Numbers of a row that share a scale: a power of 2, at least 16. @default 32 */
  readonly blockSize?: number;
}

/**
 * A decoder's arrays, of `decoderArrays`, with the linear maps of its layers and its head in 4 or 8 bits: `….weight` becomes
 * `….packed` and `….scales`. Words, norms and biases stay as they are, and maps whose numbers are no whole blocks. A head that
 * is tied to the words is packed beside them: of a small model, reading all words for each token took longer than all layers.
 *
 * @throws ClaraError "weights" when an array is missing or holds NaN or infinity, "option" for an impossible block size.
 */
export function quantizeDecoder(
  arrays: Weights,
  config: DecoderConfig,
  { bits, blockSize = 32 }: QuantizeDecoderOptions,
): PackedArrays {
  const out: Record<string, PackedArrays[string]> = {};
  const pack = (path: string, array: Weights[string], turned: boolean): boolean => {
    const [rows = 0, columns = 0] = array.shape;
    const [O, I] = turned ? [columns, rows] : [rows, columns];
    const name = packedPath(path, I, blockSize);
    if (name === undefined) return false;
    const { packed, scales } = quantizeNBits(turned ? turnBack(array) : array.data, [O, I], blockSize, bits);
    out[`${name}.packed`] = { shape: [O, (I * bits) / 32], data: packed };
    out[`${name}.scales`] = { shape: [O, I / blockSize], data: scales };
    return true;
  };
  for (const { path, turned } of decoderTensors(config)) {
    const array = arrays[path];
    if (!array) throw new ClaraError("weights", `quantizeDecoder: there is no array "${path}"; is the config its own?`);
    if (!pack(path, array, turned)) out[path] = array;
    if (path === "words" && config.tiedHead) pack("head", array, false);
  }
  return out;
}

/** What `.packed` and `.scales` are put behind, for a tensor of `decoderTensors` that reads I numbers; undefined: it stays whole. */
export function packedPath(path: string, I: number, blockSize: number): string | undefined {
  if (I % blockSize !== 0) return undefined;
  if (path === "head") return path;
  return path.endsWith(".weight") ? path.slice(0, -".weight".length) : undefined;
}

/** [I, O] to [O, I]. */
function turnBack({ shape, data }: Weights[string]): Float32Array {
  const [I, O] = shape as [number, number];
  const back = new Float32Array(data.length);
  for (let i = 0; i < I; i++) for (let o = 0; o < O; o++) back[o * I + i] = data[i * O + o]!;
  return back;
}
