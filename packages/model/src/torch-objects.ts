import { ClaraError } from "@clara/core";

/** A tensor as the pickle describes it; its numbers are in the storage, which is another entry of the zip file. */
export type TorchTensorRef = {
  readonly storage: TorchStorage;
  /** In elements, as are the strides. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
};

export type TorchStorage = { readonly key: string; readonly dtype: "F32" | "F16" | "BF16"; readonly elements: number };

/** Values that a checkpoint may hold. Lists and tuples occur inside tensors' descriptions only, and as ignored leaves. */
export type TorchValue =
  | { readonly tensor: TorchTensorRef }
  | Map<TorchValue, TorchValue>
  | readonly TorchValue[]
  | string
  | number
  | boolean
  | null
  | { readonly storage: TorchStorage }
  | { readonly global: string };

const storages: Readonly<Record<string, TorchStorage["dtype"]>> = {
  "torch FloatStorage": "F32",
  "torch HalfStorage": "F16",
  "torch BFloat16Storage": "BF16",
};
const rankLimit = 8;
const callables = ["torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter", "collections OrderedDict"];
/** Every name that a file may mention. */
export const allowedGlobals: ReadonlySet<string> = new Set([...Object.keys(storages), ...callables]);

export const onlyTensors: string = "only dicts of float tensors are read, and nothing in the file is ever run";

/** `("storage", class, key, place, elements)`. */
export function storageOf(id: TorchValue, known: Map<string, TorchStorage>): TorchStorage {
  const [kind, type, key, , elements] = Array.isArray(id) ? (id as readonly TorchValue[]) : [];
  const dtype = has(type, "global") ? storages[type.global] : undefined;
  if (kind !== "storage" || dtype === undefined || typeof key !== "string" || !isCount(elements)) {
    return fail("data.pkl describes a storage that is not of float32, float16 or bfloat16");
  }
  const before = known.get(key);
  if (before && (before.dtype !== dtype || before.elements !== elements)) {
    fail(
      `data.pkl describes storage ${quoted(key)} twice: ${before.elements} ${before.dtype}, then ${elements} ${dtype}`,
    );
  }
  const storage = before ?? { key, dtype, elements };
  known.set(key, storage);
  return storage;
}

/** What a call of one of the names gives; nothing is called. */
export function call(callee: TorchValue, args: TorchValue): TorchValue {
  const name = has(callee, "global") ? callee.global : undefined;
  const list = Array.isArray(args) ? (args as readonly TorchValue[]) : [];
  if (name === "collections OrderedDict" && list.length === 0) return new Map();
  if (name === "torch._utils _rebuild_parameter" && has(list[0], "tensor")) return list[0];
  if (name === "torch._utils _rebuild_tensor_v2") {
    const [storage, offset, shape, strides] = list;
    if (has(storage, "storage") && isCount(offset) && isShape(shape) && isShape(strides)) {
      // Copies: the pickle could still append to lists.
      const tensor = { storage: storage.storage, offset, shape: [...shape], strides: [...strides] };
      checkReach(tensor);
      return { tensor };
    }
  }
  return fail(
    `data.pkl calls ${name?.replace(" ", ".") ?? "a dict or text"} with arguments that make no tensor; ${onlyTensors}`,
  );
}

/** Every index of the tensor lies in its storage. */
function checkReach({ storage: { key, elements }, offset, shape, strides }: TorchTensorRef): void {
  if (shape.length === strides.length && shape.includes(0)) return;
  const last = shape.reduce((sum, size, i) => sum + (size - 1) * (strides[i] ?? Number.NaN), offset);
  // Written so that NaN, of a missing stride, is caught too.
  if (shape.length === strides.length && last < elements) return;
  const what = `[${shape.join(", ")}] with strides [${strides.join(", ")}] from ${offset}`;
  fail(`data.pkl has a tensor ${what}, outside of its storage ${quoted(key)} of ${elements} elements`);
}

function has<K extends string>(
  value: TorchValue | undefined,
  key: K,
): value is Extract<TorchValue, Record<K, unknown>> {
  return typeof value === "object" && value !== null && key in value;
}

function isCount(value: TorchValue | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The length first: a long list used as the shape of many tensors would take for ever to look through. */
function isShape(value: TorchValue | undefined): value is number[] {
  return Array.isArray(value) && value.length <= rankLimit && value.every(isCount);
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

function fail(problem: string): never {
  throw new ClaraError("weights", `readTorchFile: ${problem}`);
}
