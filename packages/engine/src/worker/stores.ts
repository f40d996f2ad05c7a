import { open } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Data, Dtype } from "../program.ts";
import type { HostTensors, ParamSource } from "../protocol.ts";
import type { Param } from "./runner.ts";

export type Store = ReadonlyMap<string, Param>;

/** @throws Error that says which number or byte of the source is wrong. */
export async function createStore(source: ParamSource, trainable: boolean): Promise<Store> {
  if ("file" in source) {
    if (trainable) throw new Error(`${source.file}: a mapped file cannot be trained; read it and pass its arrays`);
    return mapFile(source.file);
  }
  for (const [name, { data }] of Object.entries(source.arrays)) checkFinite(name, data);
  return trainable ? flatStore(source.arrays) : frozenStore(source.arrays);
}

function frozenStore(arrays: HostTensors): Store {
  return new Map(
    Object.entries(arrays).map(([name, { shape, data }]) => [
      name,
      { shape, data, dtype: dtypeOf(data), trainable: false },
    ]),
  );
}

/**
 * All parameters in one array, so that the optimizer goes over it in few strides. Vectors come last: weight decay
 * usually leaves them out, and what is treated alike then lies together.
 */
function flatStore(arrays: HostTensors): Store {
  const entries = Object.entries(arrays).sort(([, a], [, b]) => Number(a.shape.length < 2) - Number(b.shape.length < 2));
  const flat = new Float32Array(entries.reduce((size, [, { data }]) => size + data.length, 0));
  let offset = 0;
  const store = new Map<string, Param>();
  for (const [name, { shape, data }] of entries) {
    if (!(data instanceof Float32Array)) throw new Error(`${name}: only float32 can be trained`);
    const place = flat.subarray(offset, offset + data.length);
    place.set(data);
    store.set(name, { shape, data: place, dtype: "float32", trainable: true });
    offset += data.length;
  }
  return store;
}

/** NaN in a weight turns every answer into NaN, without an error: better none at all. */
export function checkFinite(name: string, data: Data): void {
  if (!(data instanceof Float32Array)) return;
  for (let i = 0; i < data.length; i++) {
    // Both NaN and infinity give NaN here.
    if (data[i]! - data[i]! !== 0) throw new Error(`${name}: number ${i} of ${data.length} is ${data[i]}`);
  }
}

function dtypeOf(data: Data): Dtype {
  if (data instanceof Int32Array) return "int32";
  return data instanceof Uint8Array ? "bool" : "float32";
}

/** Longest header of a safetensors file. */
const maxHeaderBytes = 100_000_000;

/**
 * The tensors of a safetensors file, left where they are: ONNX Runtime maps the file, and processes share its pages.
 *
 * @see https://github.com/huggingface/safetensors#format
 */
async function mapFile(path: string): Promise<Store> {
  const file = await open(path).catch((cause: NodeJS.ErrnoException) => {
    throw new Error(`${path}: cannot be opened (${cause.code ?? cause.message})`);
  });
  try {
    const { size } = await file.stat();
    const start = new DataView(new ArrayBuffer(8));
    await file.read(start, 0, 8, 0);
    const headerBytes = Number(start.getBigUint64(0, true));
    if (size < 8 || headerBytes > Math.min(size - 8, maxHeaderBytes)) {
      throw new Error(`${path}: is not a whole safetensors file (${size} bytes, a header of ${headerBytes} is announced)`);
    }
    const text = new Uint8Array(headerBytes);
    await file.read(text, 0, headerBytes, 8);
    return readHeader(path, JSON.parse(new TextDecoder().decode(text)), 8 + headerBytes, size);
  } catch (error) {
    if (error instanceof SyntaxError) throw new Error(`${path}: the header of the safetensors file is not JSON`);
    throw error;
  } finally {
    await file.close();
  }
}

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

function readHeader(path: string, header: Record<string, HeaderEntry>, start: number, size: number): Store {
  const dtypes: Record<string, Dtype> = { F32: "float32", I32: "int32" };
  const store = new Map<string, Param>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const dtype = dtypes[entry.dtype];
    if (!dtype) {
      throw new Error(`${path}: ${name} is ${entry.dtype}; only F32 and I32 tensors can be mapped: convert the file first`);
    }
    const [from, to] = entry.data_offsets;
    const length = entry.shape.reduce((a, b) => a * b, 4);
    if (to - from !== length || start + to > size) {
      throw new Error(
        `${path}: ${name} needs bytes ${start + from} to ${start + from + length}, the file has ${size}: it is truncated or damaged`,
      );
    }
    store.set(name, {
      shape: entry.shape,
      dtype,
      trainable: false,
      file: { folder: dirname(path), location: basename(path), offset: start + from, length },
    });
  }
  return store;
}
