import { ClaraError } from "@clara/core";
import { type ByteSource, sourceOf } from "./byte-source.ts";
import { toFloat32 } from "./float32.ts";
import type { TorchStorage, TorchTensorRef, TorchValue } from "./torch-objects.ts";
import { readTorchPickle } from "./torch-pickle.ts";
import { readZip, type ZipEntries } from "./torch-zip.ts";

/** A tensor of a torch file, as float32 whatever the file holds. */
export type TorchTensor = {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
  /** What the file holds. Float16 and bfloat16 are exact as float32. */
  readonly dtype: "F32" | "F16" | "BF16";
};

/** A tensor that is read when it is asked for. */
export type StoredTorchTensor = {
  readonly shape: readonly number[];
  readonly dtype: "F32" | "F16" | "BF16";
  /** Its bytes, row-major, in its own type. The checksum is verified each time. */
  read(): Uint8Array;
};

const depthLimit = 16;
const bytesOf = { F32: 4, F16: 2, BF16: 2 } as const;

/**
 * Reads a file of `torch.save` that holds tensors in dicts: `adapters.pth`, `decoder_first_last_layers.pth`, state
 * dicts. Names of nested dicts are joined with "/": `decoder_adapter/model.layers.0.self_attn.q_proj.lora_A.weight`.
 * A file of one tensor has it by the name "". Other leaves (numbers, strings) are left out. Tensors that share all of their storage share their `data`.
 *
 * Safe for files of strangers: the file is data, nothing in it can be run, and no size that it declares is believed
 * before the bytes are there. Checksums are verified.
 *
 * @throws ClaraError "weights" when the file is cut or damaged, is no torch file, or holds anything else than such dicts;
 * the message names it.
 * @see https://pytorch.org/docs/stable/notes/serialization.html
 */
export function readTorchFile(bytes: Uint8Array): Record<string, TorchTensor> {
  const { leaves, stored } = openStorages(sourceOf(bytes));
  const storages = new Map<TorchStorage, Uint8Array>();
  const done = new Map<string, Float32Array<ArrayBuffer>>();
  const tensors = leaves.map(([name, ref]): [string, TorchTensor] => {
    const { storage, offset, shape, strides } = ref;
    const view = `${storage.key}:${offset}:${shape}:${strides}`;
    const whole = storages.get(storage) ?? stored(ref);
    storages.set(storage, whole);
    const data = done.get(view) ?? toFloat32({ dtype: storage.dtype, shape, bytes: gather(ref, whole) });
    done.set(view, data);
    return [name, { shape, data, dtype: storage.dtype }];
  });
  return Object.fromEntries(tensors);
}

/**
 * Opens a file of `torch.save` as `readTorchFile` does, and reads a tensor when it is asked for: a checkpoint of gigabytes takes
 * the memory of one tensor at a time.
 *
 * @throws ClaraError "weights" as `readTorchFile`; damage inside a tensor shows when it is read.
 */
export function openTorchFile(source: ByteSource): Record<string, StoredTorchTensor> {
  const { leaves, stored } = openStorages(source);
  return Object.fromEntries(
    leaves.map(([name, ref]): [string, StoredTorchTensor] => [
      name,
      { shape: ref.shape, dtype: ref.storage.dtype, read: () => gather(ref, stored(ref)) },
    ]),
  );
}

function openStorages(source: ByteSource): {
  leaves: [string, TorchTensorRef][];
  stored: (ref: TorchTensorRef) => Uint8Array;
} {
  const zip = readZip(source);
  const pickles = [...zip.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1)
    fail(`expected one data.pkl in the zip file, found ${pickles.length}; is it of torch.save?`);
  const folder = pickles[0]!.slice(0, -"data.pkl".length);
  const order = zip.get(`${folder}byteorder`)?.read();
  if (order && new TextDecoder().decode(order) !== "little")
    fail("its numbers are big-endian; save it on another machine");
  const leaves = flatten(readTorchPickle(zip.get(pickles[0]!)!.read()));
  checkTotal(leaves, source.size);
  for (const [name, { storage }] of leaves) checkStorage(zip, folder, storage, name);
  return { leaves, stored: ({ storage }) => zip.get(`${folder}data/${storage.key}`)!.read() };
}

/** Tensors by joined name. A dict that occurs twice is refused: so is every loop, and every file that grows when read. */
function flatten(root: TorchValue): [string, TorchTensorRef][] {
  const out: [string, TorchTensorRef][] = [];
  const names = new Set<string>();
  const seen = new Set<TorchValue>();
  const visit = (value: TorchValue, path: readonly string[]): void => {
    if (isTensor(value)) {
      const name = path.join("/");
      if (names.has(name)) fail(`two tensors are named ${quoted(name)}`);
      names.add(name);
      out.push([name, value.tensor]);
    } else if (value instanceof Map) {
      if (seen.has(value))
        fail(`the dict at ${quoted(path.join("/"))} occurs twice; save the file without shared dicts`);
      if (path.length >= depthLimit) fail(`its dicts are nested more than ${depthLimit} deep`);
      seen.add(value);
      for (const [key, item] of value) {
        if (typeof key !== "string" && typeof key !== "number")
          fail(`a dict at ${quoted(path.join("/"))} has a key that is no name`);
        visit(item, [...path, String(key)]);
      }
    }
  };
  if (!(root instanceof Map || isTensor(root))) fail("it holds no tensor and no dict of tensors");
  visit(root, []);
  return out;
}

/** Strides of 0 and overlapping views could make a small file large. Honest files hold each number about once. */
function checkTotal(leaves: readonly [string, TorchTensorRef][], fileBytes: number): void {
  let total = 0;
  for (const [name, { shape, storage }] of leaves) {
    total += shape.reduce((size, count) => size * count, 1) * bytesOf[storage.dtype];
    if (total > 8 * fileBytes) {
      fail(`its tensors up to ${quoted(name)} say they need ${total} bytes, the whole file has ${fileBytes}`);
    }
  }
}

/** Before any number is read. */
function checkStorage(zip: ZipEntries, folder: string, { key, dtype, elements }: TorchStorage, name: string): void {
  const entry = zip.get(`${folder}data/${key}`);
  const needed = elements * bytesOf[dtype];
  if (entry?.size !== needed) {
    const found = entry ? `${entry.size} bytes` : "no such entry";
    fail(
      `tensor ${quoted(name)} needs ${needed} bytes (${elements} ${dtype}) in ${quoted(`data/${key}`)}, found ${found}`,
    );
  }
}

/** The tensor's bytes, row-major: a view where they lie so, else a copy. */
function gather({ storage, offset, shape, strides }: TorchTensorRef, stored: Uint8Array): Uint8Array {
  const width = bytesOf[storage.dtype];
  const size = shape.reduce((product, count) => product * count, 1);
  let expected = 1;
  const contiguous = shape
    .map((count, i) => ({ count, stride: strides[i]! }))
    .reverse()
    .every(({ count, stride }) => {
      const right = count === 1 || stride === expected;
      expected *= count;
      return right;
    });
  if (contiguous || size === 0) return stored.subarray(offset * width, offset * width + size * width);
  const out = new Uint8Array(size * width);
  const index = shape.map(() => 0);
  let from = offset;
  for (let to = 0; to < size; to++) {
    for (let byte = 0; byte < width; byte++) out[to * width + byte] = stored[from * width + byte]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      index[axis]!++;
      if (index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

function isTensor(value: TorchValue): value is { readonly tensor: TorchTensorRef } {
  return typeof value === "object" && value !== null && "tensor" in value;
}

function quoted(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);
}

function fail(problem: string): never {
  throw new ClaraError("weights", `readTorchFile: ${problem}`);
}
