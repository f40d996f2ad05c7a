import { open } from "node:fs/promises";
import { join, parse, relative, resolve } from "node:path";
import { ClaraError } from "@clara/core";
import type { Data, Dtype } from "../program.ts";
import type { ParamSource } from "../protocol.ts";
import type { Param } from "./runner.ts";

export type Store = ReadonlyMap<string, Param>;

/** @throws ClaraError "weights" that says which number or byte of the source is wrong, "io" when a file cannot be read. */
export async function createStore(source: ParamSource, trainable: boolean): Promise<Store> {
  if ("file" in source) {
    if (trainable) {
      throw new ClaraError(
        "option",
        `engine.params: ${source.file}: a mapped file cannot be trained; read it and pass its arrays`,
      );
    }
    return mapFile(resolve(source.file));
  }
  for (const [name, { data }] of Object.entries(source.arrays)) checkFinite("engine.params", name, data);
  return new Map(
    Object.entries(source.arrays).map(([name, { shape, data }]) => {
      const dtype = dtypeOf(data);
      if (trainable && dtype !== "float32") {
        throw new ClaraError(
          "option",
          `engine.params: only float32 can be trained, and ${name} is ${dtype}; put it into a frozen store`,
        );
      }
      return [name, { shape, data, dtype, trainable }];
    }),
  );
}

/** NaN in a weight turns every answer into NaN, without an error: better none at all. */
export function checkFinite(where: string, name: string, data: Data): void {
  if (!(data instanceof Float32Array) || allFinite(data)) return;
  const i = data.findIndex((number) => !Number.isFinite(number));
  throw new ClaraError(
    "weights",
    `${where}: number ${i} of ${name} (of ${data.length}) is ${data[i]}; it must be finite`,
  );
}

/** By bits, four at a time: half the time of asking each number, and a start waits for it. */
function allFinite({ buffer, byteOffset, length }: Float32Array): boolean {
  const bits = new Int32Array(buffer, byteOffset, length);
  // Eight ones, the exponent of NaN and of infinity, plus one carry into the sign.
  const exponent = 0x7f800000;
  const one = 0x00800000;
  let signs = 0;
  let i = 0;
  for (const end = length - (length % 4); i < end; i += 4) {
    signs |= (bits[i]! & exponent) + one;
    signs |= (bits[i + 1]! & exponent) + one;
    signs |= (bits[i + 2]! & exponent) + one;
    signs |= (bits[i + 3]! & exponent) + one;
  }
  for (; i < length; i++) signs |= (bits[i]! & exponent) + one;
  return signs >= 0;
}

function dtypeOf(data: Data): Dtype {
  if (data instanceof Int32Array) return "int32";
  return data instanceof Uint8Array ? "bool" : "float32";
}

/** Longest header of a safetensors file. */
const maxHeaderBytes = 100_000_000;

/**
 * The tensors of a safetensors file, left where they are: ONNX Runtime maps the file, and processes share its pages.
 * For the same reason their numbers are not looked at.
 *
 * @see https://github.com/huggingface/safetensors#format
 */
async function mapFile(path: string): Promise<Store> {
  const file = await open(path).catch((cause) => {
    throw unreadable(path, cause);
  });
  try {
    const { size } = await file.stat();
    const start = new DataView(new ArrayBuffer(8));
    const { bytesRead } = await file.read(start, 0, 8, 0);
    const headerBytes = Number(start.getBigUint64(0, true));
    if (bytesRead < 8 || headerBytes > Math.min(size - 8, maxHeaderBytes)) {
      throw damaged(path, `its ${size} bytes begin with no header; it is not a safetensors file, or cut off`);
    }
    const text = new Uint8Array(headerBytes);
    await file.read(text, 0, headerBytes, 8);
    return readHeader(path, parseHeader(path, text), 8 + headerBytes, size);
  } catch (cause) {
    throw cause instanceof ClaraError ? cause : unreadable(path, cause);
  } finally {
    await file.close();
  }
}

/** Bytes that are read at once: Node.js takes fewer than 2 GiB. */
const readBytes = 2 ** 30;

/** The numbers of a parameter, read from its file if it has stayed there. */
export async function numbersOf({ data, file, dtype }: Param): Promise<Data> {
  if (data) return data;
  const { folder, location, offset, length } = file!;
  const path = join(folder, location);
  const bytes = new Uint8Array(length);
  const handle = await open(path).catch((cause) => {
    throw unreadable(path, cause);
  });
  try {
    for (let at = 0; at < length; at += readBytes) {
      const wanted = Math.min(readBytes, length - at);
      const { bytesRead } = await handle.read(bytes, at, wanted, offset + at);
      if (bytesRead < wanted) throw damaged(path, `it ends at byte ${offset + at + bytesRead}: it has become shorter`);
    }
  } finally {
    await handle.close();
  }
  return dtype === "int32" ? new Int32Array(bytes.buffer) : new Float32Array(bytes.buffer);
}

function parseHeader(path: string, text: Uint8Array): object {
  try {
    const header: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text));
    if (typeof header === "object" && header !== null && !Array.isArray(header)) return header;
  } catch {}
  throw damaged(path, "its header is not a JSON record; it is not a safetensors file");
}

function readHeader(path: string, header: object, start: number, size: number): Store {
  const dtypes: Record<string, Dtype> = { F32: "float32", I32: "int32" };
  const store = new Map<string, Param>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const { dtype: kind, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
    if (!isSizes(shape) || !isSizes(offsets) || offsets.length !== 2) {
      throw damaged(
        path,
        `the header's entry of ${name} must have dtype, shape and data_offsets, got ${JSON.stringify(entry)}`,
      );
    }
    const dtype = dtypes[String(kind)];
    if (!dtype) throw damaged(path, `${name} is ${kind}, and only F32 and I32 can be mapped: convert the file first`);
    const [from, to] = offsets as [number, number];
    const length = shape.reduce((a, b) => a * b, 4);
    if (length === 0) throw damaged(path, `${name} [${shape}] has no numbers`);
    if (to - from !== length) {
      throw damaged(
        path,
        `${name} [${shape}] takes ${length} bytes, and the header gives it ${to - from} (${from} to ${to})`,
      );
    }
    if (start + to > size) {
      throw damaged(path, `${name} ends at byte ${start + to}, and the file has ${size}: it is cut off`);
    }
    // From the root: a session has one folder for all its files.
    const { root: folder } = parse(path);
    const file = { folder, location: relative(folder, path), offset: start + from, length };
    store.set(name, { shape, dtype, trainable: false, file });
  }
  return store;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function unreadable(path: string, cause: unknown): ClaraError {
  const { code, message } = cause as NodeJS.ErrnoException;
  return new ClaraError("io", `engine.params: ${path} cannot be read (${code ?? message})`, { cause });
}

function damaged(path: string, what: string): ClaraError {
  return new ClaraError("weights", `engine.params: ${path}: ${what}`);
}
