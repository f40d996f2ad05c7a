import { ClaraError } from "@clara/core";
import type { TorchTensor } from "./torch-file.ts";
import { writeZip } from "./torch-zip.ts";

/** A tensor to write; `dtype` says how the file holds it. */
export type TorchInput = Omit<TorchTensor, "dtype" | "data"> & {
  readonly data: Float32Array;
  /** @default "F32" */
  readonly dtype?: TorchTensor["dtype"];
};

export interface WriteTorchFileOptions {
  /** The folder inside the file: by custom the file's name without ".pth". @default "archive" */
  readonly name?: string;
}

/**
 * The bytes of a file that `torch.load(…, weights_only=True)` reads as dicts of CPU tensors, nested by the "/" in the
 * names. F16 and BF16 round to the nearest, ties to even. Tensors with the same `data` share one storage, as tied
 * weights do in torch. Equal input gives equal bytes.
 *
 * @throws ClaraError "shape" when data and shape disagree; "option" when a name is both a tensor and a dict, or empty;
 * "unsupported" above 4 GB.
 */
export function writeTorchFile(
  tensors: Readonly<Record<string, TorchInput>>,
  { name = "archive" }: WriteTorchFileOptions = {},
): Uint8Array<ArrayBuffer> {
  return write(nest(tensors), name);
}

/**
 * The bytes of a file that `torch.load(…, weights_only=True)` reads as one CPU tensor, in no dict.
 *
 * @throws ClaraError "shape" when data and shape disagree, "unsupported" above 4 GB.
 */
export function writeTorchTensor(tensor: TorchInput): Uint8Array<ArrayBuffer> {
  checkShape(tensor, "the tensor");
  return write(tensor, "archive");
}

function write(root: Nested | TorchInput, name: string): Uint8Array<ArrayBuffer> {
  if (!/^[\w.-]+$/.test(name)) {
    throw new ClaraError(
      "option",
      `writeTorchFile: name must be letters, digits, "_", "." and "-", got ${JSON.stringify(name)}`,
    );
  }
  const storages = new Map<string, Uint8Array>();
  const keys = new Map<Float32Array, Map<string, string>>();
  const pickle = pickleBytes();
  pickle.bytes(0x80, 2); // PROTO
  if (root instanceof Map) writeDict(root);
  else writeTensor(root);
  pickle.bytes(0x2e); // STOP
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  return writeZip([
    [`${name}/data.pkl`, pickle.done()],
    [`${name}/.format_version`, text("1")],
    [`${name}/.storage_alignment`, text("64")],
    [`${name}/byteorder`, text("little")],
    ...[...storages].map(([key, bytes]) => [`${name}/data/${key}`, bytes] as const),
    [`${name}/version`, text("3\n")],
  ]);

  function writeDict(dict: Nested): void {
    pickle.bytes(0x7d, 0x28); // EMPTY_DICT, MARK
    for (const [key, value] of dict) {
      pickle.text(key);
      if (value instanceof Map) writeDict(value);
      else writeTensor(value);
    }
    pickle.bytes(0x75); // SETITEMS
  }

  function writeTensor({ shape, data, dtype = "F32" }: TorchInput): void {
    const same = keys.get(data) ?? new Map<string, string>();
    const key = same.get(dtype) ?? String(storages.size);
    if (!same.has(dtype)) storages.set(key, encode(data, dtype));
    keys.set(data, same.set(dtype, key));
    pickle.global("torch._utils", "_rebuild_tensor_v2");
    pickle.bytes(0x28, 0x28); // MARK, MARK
    pickle.text("storage");
    pickle.global("torch", { F32: "FloatStorage", F16: "HalfStorage", BF16: "BFloat16Storage" }[dtype]);
    pickle.text(key);
    pickle.text("cpu");
    pickle.int(data.length);
    pickle.bytes(0x74, 0x51); // TUPLE, BINPERSID
    pickle.int(0);
    pickle.tuple(shape);
    pickle.tuple(shape.map((_, i) => shape.slice(i + 1).reduce((product, count) => product * count, 1)));
    pickle.bytes(0x89); // NEWFALSE: needs no gradient
    pickle.global("collections", "OrderedDict");
    pickle.bytes(0x29, 0x52, 0x74, 0x52); // EMPTY_TUPLE, REDUCE, TUPLE, REDUCE
  }
}

type Nested = Map<string, TorchInput | Nested>;

function nest(tensors: Readonly<Record<string, TorchInput>>): Nested {
  const root: Nested = new Map();
  for (const [name, tensor] of Object.entries(tensors)) {
    checkShape(tensor, `tensor ${JSON.stringify(name)}`);
    const path = name.split("/");
    const last = path.pop() as string;
    let dict = root;
    for (const part of path) {
      const next = dict.get(part) ?? (new Map() as Nested);
      if (!(next instanceof Map)) clash(name);
      dict.set(part, next);
      dict = next as Nested;
    }
    if (name === "" || dict.has(last)) clash(name);
    dict.set(last, tensor);
  }
  return root;
}

function checkShape({ shape, data }: TorchInput, what: string): void {
  const needed = shape.reduce((size, count) => size * count, 1);
  if (needed === data.length) return;
  const problem = `[${shape.join(", ")}] needs ${needed} numbers, got ${data.length}`;
  throw new ClaraError("shape", `writeTorchFile: ${what}: ${problem}`);
}

function clash(name: string): never {
  const problem = `name ${JSON.stringify(name)} is empty or is both a tensor and a dict of tensors`;
  throw new ClaraError("option", `writeTorchFile: ${problem}; rename one`);
}

function encode(data: Float32Array, dtype: TorchTensor["dtype"]): Uint8Array {
  if (dtype === "F32") return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const out = new Uint16Array(data.length);
  const float = new Float32Array(1);
  const bits = new Uint32Array(float.buffer);
  for (let i = 0; i < data.length; i++) {
    float[0] = data[i]!;
    out[i] = dtype === "BF16" ? toBfloat16(bits[0]!) : toFloat16(bits[0]!);
  }
  return new Uint8Array(out.buffer);
}

/** The upper half, rounded to nearest even. NaN stays NaN: rounding could carry it into infinity. */
function toBfloat16(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** Sign 1, exponent 5 with bias 15, fraction 10 bits; rounded to nearest even, also into and among subnormals. */
function toFloat16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and above round to infinity
  if (magnitude >= 0x38800000) {
    const shifted = magnitude - 0x38000000; // bias 127 to 15
    return sign | ((shifted + 0xfff + ((shifted >>> 13) & 1)) >>> 13);
  }
  const exponent = magnitude >>> 23;
  if (exponent < 102) return sign; // below half of the smallest subnormal
  const fraction = (magnitude & 0x7fffff) | 0x800000;
  const shift = 126 - exponent;
  const half = 2 ** (shift - 1);
  const kept = Math.floor(fraction / 2 ** shift);
  const rest = fraction - kept * 2 ** shift;
  return sign | (kept + (rest > half || (rest === half && kept % 2 === 1) ? 1 : 0));
}

/** Pickle instructions, in a buffer that grows. */
function pickleBytes(): {
  bytes(...values: number[]): void;
  text(value: string): void;
  global(module: string, name: string): void;
  int(value: number): void;
  tuple(values: readonly number[]): void;
  done(): Uint8Array;
} {
  let buffer = new Uint8Array(4096);
  let length = 0;
  const append = (values: ArrayLike<number>): void => {
    while (length + values.length > buffer.length) {
      const grown = new Uint8Array(2 * buffer.length);
      grown.set(buffer);
      buffer = grown;
    }
    buffer.set(values, length);
    length += values.length;
  };
  const int = (value: number): void => {
    if (value < 256)
      append([0x4b, value]); // BININT1
    else if (value < 2 ** 31)
      append([0x4a, ...word(value)]); // BININT
    else append([0x8a, 8, ...word(value % 2 ** 32), ...word(Math.floor(value / 2 ** 32))]); // LONG1
  };
  return {
    bytes: (...values) => append(values),
    text: (value) => {
      const utf8 = new TextEncoder().encode(value);
      append([0x58, ...word(utf8.length)]); // BINUNICODE
      append(utf8);
    },
    global: (module, name) => append(new TextEncoder().encode(`c${module}\n${name}\n`)), // GLOBAL
    int,
    tuple: (values) => {
      append([0x28]); // MARK
      for (const value of values) int(value);
      append([0x74]); // TUPLE
    },
    done: () => buffer.slice(0, length),
  };
}

function word(value: number): number[] {
  return [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255];
}
