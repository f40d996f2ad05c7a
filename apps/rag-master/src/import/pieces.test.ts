import { quantizeNBits } from "@clara/tensor";
import { describe, expect, it } from "vitest";
import type { FloatTensor } from "./float-tensor.ts";
import { packedPieces, turnedPieces, wholePieces } from "./pieces.ts";

/** A matrix in bfloat16, more than a piece holds, that counts what is read of it. */
function stored(O: number, I: number): { tensor: FloatTensor; numbers: Float32Array; reads: number[] } {
  const numbers = Float32Array.from({ length: O * I }, (_, i) => ((i * 37) % 251) / 64 - 1);
  const bytes = new Uint8Array(Uint16Array.from(new Uint32Array(numbers.buffer), (word) => word >>> 16).buffer);
  const exact = new Uint32Array(numbers.buffer).map((word) => word & 0xffff0000);
  const reads: number[] = [];
  const read = (begin: number, end: number): Uint8Array => {
    reads.push(end - begin);
    return bytes.subarray(begin, end);
  };
  const tensor: FloatTensor = { where: "x", dtype: "BF16", shape: [O, I], open: () => read };
  return { tensor, numbers: new Float32Array(exact.buffer), reads };
}

const joined = (pieces: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(pieces));
const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
const [O, I] = [1100, 1056];
const pieceBytes = 2 ** 22;

describe("pieces of a tensor", () => {
  it("are its numbers in order, each byte read once and 4 MiB at a time", () => {
    const { tensor, numbers, reads } = stored(O, I);
    const pieces = [...wholePieces(tensor)];
    expect(pieces.length).toBe(2);
    expect(Buffer.compare(joined(pieces), new Uint8Array(numbers.buffer))).toBe(0);
    expect([sum(reads), Math.max(...reads)]).toEqual([2 * O * I, pieceBytes / 2]);
  });

  it("are turned some columns at a time, each byte read once", () => {
    const { tensor, numbers, reads } = stored(O, I);
    const pieces = [...turnedPieces(tensor)];
    const turned = new Float32Array(O * I);
    for (let o = 0; o < O; o++) for (let i = 0; i < I; i++) turned[i * O + o] = numbers[o * I + i]!;
    expect(pieces.length).toBe(Math.ceil(I / 64));
    expect(Buffer.compare(joined(pieces), new Uint8Array(turned.buffer))).toBe(0);
    expect(reads).toEqual([2 * O * I]);
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(4 * pieceBytes);
  });

  it.each([4, 8] as const)("are packed some rows at a time, scales behind them: %i bits", (bits) => {
    const { tensor, numbers, reads } = stored(O, I);
    const pieces = [...packedPieces(tensor, { bits, blockSize: 32 })];
    const { packed, scales } = quantizeNBits(numbers, [O, I], 32, bits);
    const expected = joined([new Uint8Array(packed.buffer), new Uint8Array(scales.buffer)]);
    expect(pieces.length).toBe(3);
    expect(Buffer.compare(joined(pieces), expected)).toBe(0);
    expect(sum(reads)).toBe(2 * O * I);
    expect(Math.max(...reads)).toBeLessThanOrEqual(pieceBytes / 2);
  });

  it("name the tensor and the number that is none, wherever it is", () => {
    const { tensor } = stored(2, 32);
    const bytes = new Uint8Array(2 * 64);
    bytes.set([0x80, 0x7f], 2 * 40); // infinity
    const odd = { ...tensor, open: () => (begin: number, end: number) => bytes.subarray(begin, end) };
    const message = "x: number 40 is Infinity; weights must be finite";
    expect(() => [...wholePieces(odd)]).toThrow(message);
    expect(() => [...turnedPieces(odd)]).toThrow(message);
    expect(() => [...packedPieces(odd, { bits: 4, blockSize: 32 })]).toThrow(message);
  });
});
