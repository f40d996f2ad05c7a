import { ClaraError } from "@clara/core";
import { describe, expect, it } from "vitest";
import { sourceOf } from "./byte-source.ts";
import { toFloat32 } from "./float32.ts";
import {
  openSafetensors,
  readSafetensors,
  type SafeTensor,
  safetensorsHeader,
  writeSafetensors,
} from "./safetensors.ts";

const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const small: SafeTensor = { dtype: "F32", shape: [2], bytes: floats(1, 2) };

/** A file with that header, whatever it says, and `data` bytes of zeros. */
function file(header: unknown, data = 8): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const out = new Uint8Array(8 + json.length + data);
  new DataView(out.buffer).setBigUint64(0, BigInt(json.length), true);
  out.set(json, 8);
  return out;
}

function problem(bytes: Uint8Array): string {
  try {
    readSafetensors(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(ClaraError);
    expect((error as ClaraError).code).toBe("weights");
    return (error as ClaraError).message;
  }
  throw new Error("readSafetensors accepted a bad file");
}

describe("safetensors", () => {
  it("reads back what was written, as views of the file", () => {
    const tensors: Record<string, SafeTensor> = {
      "a.bytes": { dtype: "I8", shape: [3], bytes: new Uint8Array([1, 2, 255]) },
      small,
      empty: { dtype: "F16", shape: [0, 4], bytes: new Uint8Array(0) },
      scalar: { dtype: "I64", shape: [], bytes: new Uint8Array(8) },
    };
    const written = writeSafetensors(tensors, { model: "test" });
    const read = readSafetensors(written);
    expect(read.metadata).toEqual({ model: "test" });
    expect(read.tensors).toEqual(tensors);
    expect(read.tensors.small!.bytes.buffer).toBe(written.buffer);
  });

  it("writes equal bytes whatever the order of the record, with aligned tensors", () => {
    const bytes: SafeTensor = { dtype: "I8", shape: [1], bytes: new Uint8Array(1) };
    const one = writeSafetensors({ bytes, small }, { b: "2", a: "1" });
    expect(writeSafetensors({ small, bytes }, { a: "1", b: "2" })).toEqual(one);
    expect(readSafetensors(one).tensors.small!.bytes.byteOffset % 8).toBe(0);
  });

  it("can be written tensor by tensor, and read in parts", () => {
    const header = safetensorsHeader([
      { name: "b", dtype: "F32", shape: [2] },
      { name: "a", dtype: "I32", shape: [1] },
    ]);
    const { tensors } = openSafetensors(sourceOf(Uint8Array.from([...header, ...floats(1, 2), 7, 0, 0, 0])));
    expect(tensors.a!.read()).toEqual(Uint8Array.of(7, 0, 0, 0));
    expect(tensors.b!.read(4)).toEqual(floats(2));
    expect(tensors.b!.read(0, 4)).toEqual(floats(1));
    expect(header.length % 8).toBe(0);
  });

  it("refuses to write bytes that are not the shape's, and the reserved name", () => {
    expect(() => writeSafetensors({ x: { ...small, shape: [3] } })).toThrow('"x": F32 [3] needs 12 bytes, got 8');
    expect(() => writeSafetensors({ __metadata__: small })).toThrow("reserves");
  });

  it("says of a cut file how many bytes it expected, found, and what to do", () => {
    const whole = writeSafetensors({ small });
    expect(problem(whole.subarray(0, whole.length - 3))).toBe(
      `readSafetensors: the file is cut: expected ${whole.length} bytes, found ${whole.length - 3}; copy the file again`,
    );
    expect(problem(whole.subarray(0, 20))).toContain("found 20; copy the file again");
    expect(problem(whole.subarray(0, 5))).toContain("found 5 bytes");
    expect(problem(new Uint8Array([...whole, 0]))).toContain("1 bytes after the last tensor");
  });

  it("refuses headers that are too long, no JSON or no object", () => {
    expect(problem(new TextEncoder().encode("<!DOCTYPE html>"))).toContain("this is no safetensors file");
    expect(problem(file("{nonsense"))).toContain("not JSON");
    expect(problem(file("[1]", 0))).toContain("must be a JSON object");
    expect(problem(file({ __metadata__: { a: 1 } }, 0))).toContain("__metadata__ must be an object of strings");
  });

  it("refuses tensors whose type, shape or offsets cannot be", () => {
    const entry = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
    expect(problem(file({ x: 7 }))).toContain('tensor "x": expected an object');
    expect(problem(file({ x: { ...entry, dtype: "F8" } }))).toContain('got "F8"');
    expect(problem(file({ x: { ...entry, dtype: "toString" } }))).toContain('got "toString"');
    expect(problem(file({ x: { ...entry, shape: [-2] } }))).toContain("shape must be a list of counts, got [-2]");
    expect(problem(file({ x: { ...entry, data_offsets: [0] } }))).toContain("two byte offsets");
    expect(problem(file({ x: { ...entry, data_offsets: [8, 0] } }))).toContain("needs 8 bytes");
    expect(problem(file({ x: { ...entry, shape: [3] } }))).toContain("F32 [3] needs 12 bytes");
  });

  it("refuses tensors that overlap or leave holes", () => {
    const entry = (begin: number) => ({ dtype: "F32", shape: [2], data_offsets: [begin, begin + 8] });
    expect(problem(file({ x: entry(0), y: entry(4) }, 12))).toContain("starts at byte 4, inside the one before");
    expect(problem(file({ x: entry(0), y: entry(12) }, 20))).toContain("bytes 8 to 12");
  });
});

it("opens a file without reading its tensors, and reads each when it is asked for", () => {
  const bytes = writeSafetensors({
    a: { dtype: "F32", shape: [1000], bytes: new Uint8Array(4000).fill(7) },
    b: { dtype: "U8", shape: [3], bytes: Uint8Array.of(1, 2, 3) },
  });
  const lengths: number[] = [];
  const { tensors } = openSafetensors({
    size: bytes.length,
    read(offset, length) {
      lengths.push(length);
      return bytes.slice(offset, offset + length);
    },
  });
  expect(Math.max(...lengths)).toBeLessThan(1000);
  expect(tensors.b!.read()).toEqual(Uint8Array.of(1, 2, 3));
  expect(lengths.at(-1)).toBe(3);
  expect(tensors.a).toMatchObject({ dtype: "F32", shape: [1000] });
});

describe("toFloat32", () => {
  it("reads float16 exactly: normal, subnormal, signed zero, infinity and NaN", () => {
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x3555, 0x0001, 0x8000, 0x7bff, 0xfc00, 0x7e00);
    const values = toFloat32({ dtype: "F16", shape: [8], bytes: new Uint8Array(halves.buffer) });
    expect([...values]).toEqual([1, -2, 0.333251953125, 2 ** -24, -0, 65504, Number.NEGATIVE_INFINITY, Number.NaN]);
  });

  it("reads bfloat16 exactly", () => {
    const bytes = new Uint8Array(Uint16Array.of(0x3f80, 0xc049, 0x7f80).buffer);
    expect([...toFloat32({ dtype: "BF16", shape: [3], bytes })]).toEqual([1, -3.140625, Number.POSITIVE_INFINITY]);
  });

  it("reads tensors that lie at odd addresses of a Buffer", () => {
    const buffer = Buffer.from([9, ...floats(1.5, -2)]);
    expect([...toFloat32({ dtype: "F32", shape: [2], bytes: buffer.subarray(1) })]).toEqual([1.5, -2]);
    const half = Buffer.from([9, 0x00, 0x3c]).subarray(1);
    expect([...toFloat32({ dtype: "F16", shape: [1], bytes: half })]).toEqual([1]);
  });

  it("refuses integers", () => {
    expect(() => toFloat32({ dtype: "I8", shape: [1], bytes: new Uint8Array(1) })).toThrow("got I8");
  });
});
