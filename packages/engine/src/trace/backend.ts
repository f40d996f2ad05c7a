import { ClaraError } from "@clara/core";
import { tf } from "@clara/tensor";
import { kernels } from "../kernels/index.ts";
import type { Attrs, Shaped } from "../kernels/kernel.ts";
import type { Data, Dtype } from "../program.ts";
import { callSite } from "./call-site.ts";
import type { Recording } from "./recording.ts";

/** The names under which TensorFlow.js knows the recorder: with the kernels of `@clara/tensor`, and without. */
const backendNames = { fused: "clara-trace", composed: "clara-trace-composed" } as const;
export type KernelSet = keyof typeof backendNames;

/** Kernels of ours that TensorFlow.js's operations can express. */
const composable = ["ClaraAttention", "ClaraGelu", "ClaraGeluGrad", "ClaraLayerNorm", "ClaraRmsNorm"];

let current: Recording | undefined;

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
  const { random } = Math;
  current = recording;
  // `setBackend` is async in name only: for a back end that is made synchronously it has done its work when it returns.
  void tf.setBackend(backendNames[kernelSet]);
  Math.random = refuseRandom;
  try {
    return tf.tidy(fn as () => tf.TensorContainer) as T;
  } finally {
    Math.random = random;
    current = undefined;
    void tf.setBackend(before);
  }
}

/** A tensor that stands for value `id` of the current recording. */
export function symbolicTensor(id: number, { shape, dtype }: Shaped): tf.Tensor {
  return tf.engine().makeTensorFromTensorInfo(info(id, { shape, dtype }));
}

/** The value behind a tensor; one made before tracing becomes a constant. */
export function valueOf(tensor: tf.TensorInfo): number {
  const id = current!.values.idOf(tensor.dataId) ?? captured(tensor);
  const { shape, dtype } = current!.values.at(id);
  if (shape.length === tensor.shape.length && shape.every((size, i) => size === tensor.shape[i])) return id;
  // Tensors of different shapes may share their data.
  const reshaped = current!.call("Reshape", kernels.Reshape!, { x: id }, { shape: tensor.shape }, { x: { shape, dtype } });
  return reshaped[0]!;
}

function captured(tensor: tf.TensorInfo): number {
  // Its values are read where they are: TensorFlow.js would move it to the current back end, for good.
  const owner = tf.engine().state.tensorInfo.get(tensor.dataId);
  if (!owner) throw new ClaraError("engine", `compile: a tensor was used after it was disposed${callSite()}`);
  const data = owner.backend.readSync(tensor.dataId);
  return current!.constant(tensor.dataId, copy(data, owner.dtype), owner.shape, owner.dtype as Dtype);
}

class TraceBackend extends tf.KernelBackend {
  /** TensorFlow.js's CPU back end has the same; some operations ask for it. */
  readonly blockSize = 48;

  override write(values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): tf.DataId {
    if (dtype !== "float32" && dtype !== "int32" && dtype !== "bool") {
      throw new ClaraError("engine", `compile: tensors of type ${dtype} cannot be compiled${callSite()}`);
    }
    const data = copy(values, dtype);
    const dataId = {};
    const constant = current!.constant(dataId, data, shape, dtype);
    if (!current!.isEverywhere(constant)) refuseSeededRandom();
    return dataId;
  }

  override readSync(dataId: tf.DataId): Data {
    const data = current?.dataOf(dataId);
    if (data) return data;
    throw new ClaraError(
      "engine",
      "compile: the function reads the values of a tensor (data, array, dataSync, arraySync), which it does not have " +
        `while it is traced${callSite()}; compute with operations, or return the tensor and read it outside`,
    );
  }

  override async read(dataId: tf.DataId): Promise<Data> {
    return this.readSync(dataId);
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
            .map(([key, tensor]) => [key, valueOf(tensor as tf.TensorInfo)]),
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
        throw new ClaraError(
          "engine",
          `compile: the TensorFlow.js kernel ${name} ${why}${callSite()}; ` +
            "compute it outside the function and pass it in, or write it with other operations",
        );
      },
    });
  }
}

function info(id: number, { shape, dtype }: Shaped): tf.TensorInfo {
  const dataId = {};
  current!.values.bind(dataId, id);
  return { dataId, shape: [...shape], dtype };
}

function copy(values: tf.backend_util.BackendValues, dtype: tf.DataType): Data {
  const from = values as ArrayLike<number>;
  if (dtype === "int32") return Int32Array.from(from);
  return dtype === "bool" ? Uint8Array.from(from) : Float32Array.from(from);
}

const advice = "its numbers would be the same at every call; use dropout of @clara/tensor, or pass random numbers in";

function refuseRandom(): number {
  throw new ClaraError("engine", `compile: the function draws random numbers${callSite()}; ${advice}`);
}

/** A seeded random operation does not ask `Math.random`; it is known by the functions that called for the constant. */
function refuseSeededRandom(): void {
  const drawn = /\b(dropout_|random[A-Z]\w*_|truncatedNormal_|rand_)\b/.exec(new Error().stack ?? "");
  if (!drawn) return;
  const operation = drawn[1]!.slice(0, -1);
  throw new ClaraError("engine", `compile: tf.${operation} draws random numbers${callSite()}; ${advice}`);
}
