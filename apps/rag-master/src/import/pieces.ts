import { ClaraError } from "@clara/core";
import { toFloat32 } from "@clara/model";
import { type NBits, quantizeNBits } from "@clara/tensor";
import { type FloatTensor, widthOf } from "./float-tensor.ts";

/** Numbers of a piece, as float32 4 MiB. */
const most = 2 ** 20;
/** Columns that are turned at once: as many rows are being written to, which the processor's cache can hold. */
const turnedColumns = 64;

/** Its numbers as float32, in order. @throws ClaraError "weights" when one is NaN or infinite. */
export function* wholePieces(tensor: FloatTensor): Generator<Uint8Array> {
  const read = tensor.open();
  const numbers = sizeOf(tensor);
  for (let at = 0; at < numbers; at += most) {
    yield bytesOf(numbersOf(tensor, read, at, Math.min(numbers, at + most)));
  }
}

/** The numbers of a matrix [O, I] as float32 in the order of [I, O]. The file's matrix is held whole, what is made of it is not. */
export function* turnedPieces(tensor: FloatTensor): Generator<Uint8Array> {
  const [O, I] = tensor.shape as [number, number];
  const whole = tensor.open()(0, O * I * widthOf(tensor));
  const read = (begin: number, end: number): Uint8Array => whole.subarray(begin, end);
  const columns = Math.max(1, Math.min(turnedColumns, Math.floor((4 * most) / O)));
  for (let from = 0; from < I; from += columns) {
    const count = Math.min(columns, I - from);
    const turned = new Float32Array(count * O);
    for (let o = 0; o < O; o++) {
      const row = numbersOf(tensor, read, o * I + from, o * I + from + count);
      for (let i = 0; i < count; i++) turned[i * O + o] = row[i]!;
    }
    yield bytesOf(turned);
  }
}

/** A matrix [O, I] packed, some rows at a time, and behind them the scales of all. */
export function* packedPieces(
  tensor: FloatTensor,
  { bits, blockSize }: { readonly bits: NBits; readonly blockSize: number },
): Generator<Uint8Array> {
  const [O, I] = tensor.shape as [number, number];
  const read = tensor.open();
  const rows = Math.max(1, Math.floor(most / I));
  const scales = new Float32Array((O * I) / blockSize);
  for (let from = 0; from < O; from += rows) {
    const count = Math.min(rows, O - from);
    const numbers = numbersOf(tensor, read, from * I, (from + count) * I);
    const part = quantizeNBits(numbers, [count, I], blockSize, bits);
    scales.set(part.scales, (from * I) / blockSize);
    yield bytesOf(part.packed);
  }
  yield bytesOf(scales);
}

/** Numbers of a tensor, those from `begin` to before `end`. @throws ClaraError "weights" when one is NaN or infinite. */
export function numbersOf(
  tensor: FloatTensor,
  read: (begin: number, end: number) => Uint8Array,
  begin: number,
  end: number,
): Float32Array {
  const { dtype, where } = tensor;
  const width = widthOf(tensor);
  const numbers = toFloat32({ dtype, shape: [end - begin], bytes: read(begin * width, end * width) });
  for (let i = 0; i < numbers.length; i++) {
    // Written so that NaN is caught too.
    if (Math.abs(numbers[i]!) < Number.POSITIVE_INFINITY) continue;
    throw new ClaraError("weights", `${where}: number ${begin + i} is ${numbers[i]}; weights must be finite`);
  }
  return numbers;
}

export function sizeOf({ shape }: Pick<FloatTensor, "shape">): number {
  return shape.reduce((size, count) => size * count, 1);
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
