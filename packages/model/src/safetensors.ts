import { ClaraError } from "@clara/core";
import { type ByteSource, sourceOf } from "./byte-source.ts";

/** Bytes of one element of each type that Clara reads. */
const elementBytes = { F32: 4, F16: 2, BF16: 2, I8: 1, U8: 1, I32: 4, I64: 8 } as const;

export type Dtype = keyof typeof elementBytes;

/** One tensor as it is in the file: little-endian bytes, row-major. */
export type SafeTensor = { readonly dtype: Dtype; readonly shape: readonly number[]; readonly bytes: Uint8Array };

export type SafeTensors = {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: Readonly<Record<string, SafeTensor>>;
};

/** A tensor that is read when it is asked for. */
export type StoredTensor = {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Its bytes, little-endian, row-major; all, or those from `begin` to before `end`. */
  read(begin?: number, end?: number): Uint8Array;
};

const headerLimit = 100_000_000;
const copyAgain = "the file is damaged; copy it again";

/**
 * Reads a safetensors file. The tensors' bytes are views of `bytes`, not copies.
 *
 * @throws ClaraError "weights" when the file is cut, its header is no header, or its tensors overlap or leave holes.
 * @see https://github.com/huggingface/safetensors#format
 */
export function readSafetensors(bytes: Uint8Array): SafeTensors {
  const { metadata, tensors } = openSafetensors(sourceOf(bytes));
  const read = ({ dtype, shape, read }: StoredTensor): SafeTensor => ({ dtype, shape, bytes: read() });
  return { metadata, tensors: Object.fromEntries(Object.entries(tensors).map(([name, of]) => [name, read(of)])) };
}

/**
 * Reads the header of a safetensors file, and each tensor when it is asked for.
 *
 * @throws ClaraError "weights" as `readSafetensors`.
 */
export function openSafetensors(source: ByteSource): {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: Readonly<Record<string, StoredTensor>>;
} {
  const header = readHeader(source);
  const dataBytes = source.size - header.end;
  const metadata = header.json.__metadata__ ?? {};
  if (!isRecord(metadata) || !Object.values(metadata).every((value) => typeof value === "string")) {
    fail("the header's __metadata__ must be an object of strings");
  }
  const entries = Object.entries(header.json)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, value]) => readEntry(name, value))
    .sort((x, y) => x.begin - y.begin || x.end - y.end);
  let next = 0;
  for (const { name, begin, end } of entries) {
    if (begin < next)
      fail(
        `tensor ${quoted(name)} starts at byte ${begin}, inside the one before it, which ends at ${next}; ${copyAgain}`,
      );
    if (begin > next) fail(`bytes ${next} to ${begin} before tensor ${quoted(name)} belong to no tensor; ${copyAgain}`);
    next = end;
  }
  if (dataBytes < next) {
    fail(`the file is cut: expected ${header.end + next} bytes, found ${source.size}; copy the file again`);
  }
  if (dataBytes > next) {
    fail(
      `${dataBytes - next} bytes after the last tensor: expected ${header.end + next} bytes, found ${source.size}; ${copyAgain}`,
    );
  }
  return {
    metadata: metadata as Record<string, string>,
    tensors: Object.fromEntries(
      entries.map(({ name, dtype, shape, begin, end }): [string, StoredTensor] => [
        name,
        {
          dtype,
          shape,
          read: (from = 0, to = end - begin) => source.read(header.end + begin + from, to - from),
        },
      ]),
    ),
  };
}

/**
 * The bytes of a safetensors file. Equal input gives equal bytes: tensors are ordered by element size, then by name, so
 * that each starts on a multiple of its element's size, and the header is padded to a multiple of 8.
 *
 * @throws ClaraError "shape" when a tensor's bytes are not what its shape and type need; "option" for a reserved name.
 */
export function writeSafetensors(
  tensors: Readonly<Record<string, SafeTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const entries = Object.entries(tensors).sort(
    ([a, x], [b, y]) => elementBytes[y.dtype] - elementBytes[x.dtype] || (a < b ? -1 : 1),
  );
  for (const [name, { dtype, shape, bytes }] of entries) {
    const needed = elementBytes[dtype] * product(shape);
    if (bytes.length !== needed) {
      const what = `${dtype} [${shape.join(", ")}] needs ${needed} bytes, got ${bytes.length}`;
      throw new ClaraError("shape", `writeSafetensors: tensor ${quoted(name)}: ${what}`);
    }
  }
  const header = safetensorsHeader(
    entries.map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
    metadata,
  );
  const out = new Uint8Array(header.length + entries.reduce((sum, [, { bytes }]) => sum + bytes.length, 0));
  out.set(header);
  let offset = header.length;
  for (const [, { bytes }] of entries) {
    out.set(bytes, offset);
    offset += bytes.length;
  }
  return out;
}

/**
 * What a safetensors file begins with: the tensors' bytes follow, one after the other in this order, so that a file can be
 * written tensor by tensor.
 *
 * @throws ClaraError "option" for a reserved name.
 */
export function safetensorsHeader(
  tensors: readonly (Pick<SafeTensor, "dtype" | "shape"> & { readonly name: string })[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) {
    header.push(["__metadata__", Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)))]);
  }
  let size = 0;
  for (const { name, dtype, shape } of tensors) {
    if (name === "__metadata__") {
      throw new ClaraError("option", "writeSafetensors: no tensor may be named __metadata__; the format reserves it");
    }
    const needed = elementBytes[dtype] * product(shape);
    header.push([name, { dtype, shape, data_offsets: [size, size + needed] }]);
    size += needed;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const start = 8 + Math.ceil(json.length / 8) * 8;
  const out = new Uint8Array(start).fill(0x20, 8); // the format pads with spaces
  new DataView(out.buffer).setBigUint64(0, BigInt(start - 8), true);
  out.set(json, 8);
  return out;
}

function readHeader(source: ByteSource): { json: Record<string, unknown>; end: number } {
  if (source.size < 8) fail(`a file starts with 8 bytes of header length, found ${source.size} bytes; ${copyAgain}`);
  const start = source.read(0, 8);
  const length = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true);
  if (length > headerLimit) {
    fail(`the header says it is ${length} bytes long, more than ${headerLimit}; this is no safetensors file`);
  }
  const end = 8 + Number(length);
  if (end > source.size) {
    fail(`the file is cut: its header needs ${end} bytes, found ${source.size}; copy the file again`);
  }
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(source.read(8, end - 8)));
  } catch (cause) {
    fail(`the header of ${length} bytes is not JSON; ${copyAgain}`, cause);
  }
  if (!isRecord(json)) fail("the header must be a JSON object");
  return { json, end };
}

function readEntry(name: string, value: unknown): SafeTensorEntry {
  const where = `tensor ${quoted(name)}`;
  if (!isRecord(value)) fail(`${where}: expected an object with dtype, shape and data_offsets`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !Object.hasOwn(elementBytes, dtype)) {
    fail(
      `${where}: dtype must be one of ${Object.keys(elementBytes).join(", ")}, got ${JSON.stringify(dtype)}; convert the file`,
    );
  }
  if (!isCounts(shape)) fail(`${where}: shape must be a list of counts, got ${JSON.stringify(shape)}`);
  if (!isCounts(offsets) || offsets.length !== 2) {
    fail(`${where}: data_offsets must be two byte offsets, got ${JSON.stringify(offsets)}`);
  }
  const [begin, end] = offsets as [number, number];
  const needed = elementBytes[dtype as Dtype] * product(shape);
  if (end - begin !== needed) {
    fail(
      `${where}: ${dtype} [${shape.join(", ")}] needs ${needed} bytes, its data_offsets ${begin} to ${end} hold ${end - begin}; ${copyAgain}`,
    );
  }
  return { name, dtype: dtype as Dtype, shape, begin, end };
}

type SafeTensorEntry = { name: string; dtype: Dtype; shape: number[]; begin: number; end: number };

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && count >= 0);
}

function product(shape: readonly number[]): number {
  return shape.reduce((size, count) => size * count, 1);
}

function quoted(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);
}

function fail(problem: string, cause?: unknown): never {
  throw new ClaraError("weights", `readSafetensors: ${problem}`, cause === undefined ? undefined : { cause });
}
