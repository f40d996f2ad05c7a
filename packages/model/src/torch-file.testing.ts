import { writeZip } from "./torch-zip.ts";

// Pickles by hand: every function gives instructions.

export const six: Uint8Array = new Uint8Array(Float32Array.of(0, 1, 2, 3, 4, 5).buffer);
export const rebuild: number[] = global("torch._utils", "_rebuild_tensor_v2");

export function utf8(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export function concat(...parts: ArrayLike<number>[]): number[] {
  return parts.flatMap((part) => Array.from(part));
}

export function text(value: string): number[] {
  const length = value.length;
  return concat([0x58, length & 255, length >> 8, 0, 0], utf8(value));
}

export function global(module: string, name: string): number[] {
  return concat(utf8(`c${module}\n${name}\n`));
}

function int(value: number): number[] {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setBigInt64(0, BigInt(value), true);
  return concat([0x8a, 8], new Uint8Array(bytes.buffer));
}

export function dict(...items: (readonly [string, ArrayLike<number>])[]): number[] {
  return concat([0x7d, 0x28], ...items.flatMap(([key, value]) => [text(key), value]), [0x75]);
}

type Parts = { dtype?: "F32" | "F16" | "BF16"; key?: string; elements?: number };

export function storage({ dtype = "F32", key = "0", elements = 6 }: Parts): number[] {
  const type = { F32: "FloatStorage", F16: "HalfStorage", BF16: "BFloat16Storage" }[dtype];
  return concat([0x28], text("storage"), global("torch", type), text(key), text("cuda:0"), int(elements), [0x74, 0x51]);
}

export function tensor({
  shape = [2, 3],
  strides = [3, 1],
  offset = 0,
  ...parts
}: Parts & { shape?: number[]; strides?: number[]; offset?: number }): number[] {
  const tuple = (values: number[]): number[] => concat([0x28], ...values.map(int), [0x74]);
  return concat(rebuild, [0x28], storage(parts), int(offset), tuple(shape), tuple(strides), [0x89, 0x7d, 0x74, 0x52]);
}

/** A torch file with this pickle and one storage, checksums right. */
export function torchFile(
  pickle: ArrayLike<number>,
  data: Uint8Array,
  { raw = false, byteorder = "little" }: { raw?: boolean; byteorder?: string } = {},
): Uint8Array {
  return writeZip([
    ["archive/data.pkl", Uint8Array.from(raw ? pickle : concat([0x80, 2], pickle, [0x2e]))],
    ["archive/byteorder", utf8(byteorder)],
    ["archive/data/0", data],
  ]);
}
