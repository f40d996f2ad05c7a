import { ClaraError } from "@clara/core";
import { tf } from "@clara/tensor";
import { kernels } from "../kernels/index.ts";
import type { Attrs, Shaped } from "../kernels/kernel.ts";
import type { Data, Dtype } from "../program.ts";
import { callSite } from "./call-site.ts";
import { refuseSeededRandom, withGuards } from "./guards.ts";
import type { Recording } from "./recording.ts";

/** The names under which TensorFlow.js knows the recorder: with the kernels of `@clara/tensor`, and without. */
const backendNames = {
  fused: "clara-trace",
  training: "clara-trace-training",
  composed: "clara-trace-composed",
} as const;
export type KernelSet = keyof typeof backendNames;

/** Kernels of ours that TensorFlow.js's operations can express. */
const composable = [
  "ClaraAttention",
  "ClaraCachedAttention",
  "ClaraGelu",
  "ClaraGeluGrad",
  "ClaraLayerNorm",
  "ClaraRmsNorm",
];

let current: Recording | undefined;

/** What went wrong where it could not be thrown: in a promise, which the function need not await. */
let failure: ClaraError | undefined;

/**
 * Runs `fn` while every TensorFlow.js operation is recorded instead of computed, then puts everything back.
 *
 * Synchronous from start to end: TensorFlow.js has one current back end, and nothing else may run in between.
 */
export function recordWith<T>(recording: Recording, kernelSet: KernelSet, fn: () => T): T {
  if (current) throw new ClaraError("engine", "compile: a function that is being traced cannot compile another");
  register();
  tf.backend(); // chosen at its first use: it must have a name to come back to
  const before = tf.getBackend();
  current = recording;
  failure = undefined;
  // `setBackend` is async in name only: for a back end that is made synchronously it has done its work when it returns.
  void tf.setBackend(backendNames[kernelSet]);
  try {
    const result = withGuards(() => tf.tidy(fn as () => tf.TensorContainer) as T);
    if (failure) throw failure;
    return result;
  } catch (error) {
    throw failure ?? unknownKernel(error) ?? error;
  } finally {
    current = undefined;
    void tf.setBackend(before);
  }
}

/** TensorFlow.js's error for a kernel that someone has registered with other backends, by ours. */
function unknownKernel(error: unknown): ClaraError | undefined {
  const name = error instanceof Error && /Kernel '(.+)' not registered for backend 'clara/.exec(error.message)?.[1];
  return name ? refusal(name, "is not among those that can be compiled", callSite(error as Error), error) : undefined;
}

function refusal(kernel: string, why: string, where: string, cause?: unknown): ClaraError {
  return new ClaraError(
    "engine",
    `compile: the TensorFlow.js kernel ${kernel} ${why}${where}; ` +
      "compute it outside the function and pass it in, or write it with other operations",
    { cause },
  );
}

/** A tensor that stands for value `id` of the current recording. */
export function symbolicTensor(id: number, { shape, dtype }: Shaped): tf.Tensor {
  return tf.engine().makeTensorFromTensorInfo(info(id, { shape, dtype }));
}

/** The value behind a tensor; one made before tracing becomes a constant. */
export function valueBehind(tensor: tf.TensorInfo): number {
  const owner = tf.engine().state.tensorInfo.get(tensor.dataId);
  if (!owner) throw new ClaraError("engine", `compile: a tensor was used after it was disposed${callSite()}`);
  const id = current!.values.idOf(tensor.dataId) ?? captured(tensor, owner);
  // Tensors of different types and shapes may share their data.
  return withShape(withType(id, tensor.dtype as Dtype), tensor.shape);
}

function withType(id: number, dtype: Dtype): number {
  const value = current!.values.at(id);
  return value.dtype === dtype ? id : current!.call("Cast", kernels.Cast!, { x: id }, { dtype }, { x: value })[0]!;
}

function withShape(id: number, shape: readonly number[]): number {
  const value = current!.values.at(id);
  if (value.shape.length === shape.length && value.shape.every((size, i) => size === shape[i])) return id;
  return current!.call("Reshape", kernels.Reshape!, { x: id }, { shape }, { x: value })[0]!;
}

type Owner = { readonly backend: tf.KernelBackend; readonly dtype: tf.DataType; readonly shape: number[] };

function captured(tensor: tf.TensorInfo, { backend, dtype, shape }: Owner): number {
  // Its values are read where they are: TensorFlow.js would move it to the current back end, for good.
  const known = compilable(dtype);
  return current!.constant(tensor.dataId, contents(backend.readSync(tensor.dataId), known), shape, known);
}

function compilable(dtype: tf.DataType): Dtype {
  if (dtype === "float32" || dtype === "int32" || dtype === "bool") return dtype;
  throw new ClaraError("engine", `compile: tensors of type ${dtype} cannot be compiled${callSite()}`);
}

class TraceBackend extends tf.KernelBackend {
  /** TensorFlow.js's CPU back end has the same; some operations ask for it. */
  readonly blockSize = 48;

  override write(values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): tf.DataId {
    const known = compilable(dtype);
    const data = contents(values, known);
    // Looking at the stack takes time, and most constants are 0, 1, or one number everywhere in a shape.
    if (typeof data !== "number" || (values.length === 1 && data !== 0 && data !== 1)) refuseSeededRandom();
    const dataId = {};
    current!.constant(dataId, data, shape, known);
    return dataId;
  }

  override readSync(dataId: tf.DataId): Data {
    const data = current?.dataOf(dataId);
    if (data) return data;
    throw unreadable();
  }

  override read(dataId: tf.DataId): Promise<Data> {
    const data = current?.dataOf(dataId);
    if (data) return Promise.resolve(data);
    if (!current) return Promise.reject(unreadable());
    // Rejected, a promise that nobody awaits would end the process; and nothing can come of what waits for this one.
    failure ??= unreadable();
    return new Promise(() => {});
  }

  override disposeData(): boolean {
    return true;
  }
  override incRef(): void {}
  override refCount(): number {
    return 1;
  }
  override numDataIds(): number {
    return 0;
  }
  override epsilon(): number {
    return 1e-7;
  }
  override floatPrecision(): 32 {
    return 32;
  }
  override timerAvailable(): boolean {
    return false;
  }
  override memory(): { unreliable: boolean } {
    return { unreliable: true };
  }
  override dispose(): void {}
}

let registered = false;

function register(): void {
  if (registered) return;
  registered = true;
  registerAs(backendNames.fused, Object.keys(kernels));
  // A gradient needs the probabilities that the node keeps to itself: composed, they are computed once for both.
  registerAs(
    backendNames.training,
    Object.keys(kernels).filter((name) => name !== "ClaraAttention"),
  );
  registerAs(
    backendNames.composed,
    Object.keys(kernels).filter((name) => !composable.includes(name)),
  );
}

function registerAs(backendName: string, known: readonly string[]): void {
  tf.registerBackend(backendName, () => new TraceBackend(), 0);
  for (const name of known) {
    const kernel = kernels[name]!;
    tf.registerKernel({
      kernelName: name,
      backendName,
      kernelFunc: ({ inputs, attrs }) => {
        const ids = Object.fromEntries(
          Object.entries(inputs)
            .filter(([, tensor]) => tensor != null)
            .map(([key, tensor]) => [key, valueBehind(tensor as tf.TensorInfo)]),
        );
        const found = current!.call(name, kernel, ids, (attrs ?? {}) as Attrs, inputs as Record<string, Shaped>);
        const infos = found.map((id) => info(id, current!.values.at(id)));
        // A list of one would be handed to the caller as a list.
        return infos.length === 1 && name !== "SplitV" && name !== "Unpack" ? infos[0]! : infos;
      },
    });
  }
  // TensorFlow.js exports the names of its kernels: the rest are refused by name.
  const names = Object.values(tf).filter((value) => typeof value === "string" && /^_?[A-Z][A-Za-z0-9]+$/.test(value));
  for (const name of new Set(names as unknown as string[])) {
    if (name in kernels) continue;
    tf.registerKernel({
      kernelName: name,
      backendName,
      kernelFunc: () => {
        const why = name === "Multinomial" ? "draws random numbers" : "is not among those that can be compiled";
        throw refusal(name, why, callSite());
      },
    });
  }
}

function info(id: number, { shape, dtype }: Shaped): tf.TensorInfo {
  const dataId = {};
  current!.values.bind(dataId, id);
  return { dataId, shape: [...shape], dtype };
}

/** A copy of the numbers, or the one that they all are: gradients are full of large tensors of ones. */
function contents(values: tf.backend_util.BackendValues, dtype: Dtype): Data | number {
  const from = values as ArrayLike<number>;
  const array = dtype === "int32" ? Int32Array : dtype === "bool" ? Uint8Array : Float32Array;
  const first = from[0];
  let same = 0;
  while (same < from.length && Object.is(from[same], first)) same++;
  return same === from.length && same > 0 ? array.of(first!)[0]! : array.from(from);
}

function unreadable(): ClaraError {
  if (!current) {
    return new ClaraError(
      "engine",
      "compile: a tensor from inside a compiled function was used outside it; return it instead",
    );
  }
  return new ClaraError(
    "engine",
    "compile: the function reads the values of a tensor (data, array, dataSync, arraySync), which it does not have " +
      `while it is traced${callSite()}; compute with operations, or return the tensor and read it outside`,
  );
}
