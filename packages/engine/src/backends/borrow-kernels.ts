import type { Tf } from "./types.ts";

type TensorInfo = { dataId: object; shape: number[]; dtype: "float32" | "int32" | "bool" | "string" | "complex64" };
type KernelFunc = NonNullable<ReturnType<Tf["getKernel"]>>["kernelFunc"];
/** By name; some kernels are given a list. */
type Inputs = Record<string, TensorInfo | undefined> | (TensorInfo | undefined)[];
/** The part of a back end that every one has. */
interface Store {
  readSync(id: object): Float32Array | Int32Array | Uint8Array;
  write(values: Float32Array | Int32Array | Uint8Array, shape: number[], dtype: TensorInfo["dtype"]): object;
  disposeData(id: object, force?: boolean): boolean;
}

/** Complex numbers are pairs of tensors to a back end, and texts are not numbers: those stay at home. */
const stay =
  /^(Complex|ComplexAbs|Real|Imag|I?FFT|I?RFFT|Draw|FromPixels|String.*|StaticRegexReplace|RaggedTensorToTensor)$/;

/**
 * Registers for `backend` every kernel that only the CPU back end has. A borrowed kernel reads its inputs, runs on the
 * CPU and writes its outputs back: WebAssembly has no UnsortedSegmentSum, without which no embedding trains.
 *
 * @returns the kernels' names, in order.
 */
export function borrowKernels(tf: Tf, backend: string): string[] {
  const cpu = tf.findBackend("cpu") as unknown as (Store & { firstUse?: boolean }) | null;
  if (!cpu) return [];
  // Its first write would print an advertisement.
  cpu.firstUse = false;
  const own = new Set(tf.getKernelsForBackend(backend).map(({ kernelName }) => kernelName));
  const lacking = tf.getKernelsForBackend("cpu").filter(({ kernelName: k }) => !own.has(k) && !stay.test(k));
  for (const { kernelName, kernelFunc } of lacking) {
    tf.registerKernel({ kernelName, backendName: backend, kernelFunc: lent(kernelFunc, cpu) });
  }
  return lacking.map(({ kernelName }) => kernelName).sort();
}

/** A kernel of the CPU back end as one of another back end: for a kernel that the other has, and that is wrong. */
export function borrowKernel(tf: Tf, name: string): KernelFunc {
  return lent(tf.getKernel(name, "cpu")!.kernelFunc, tf.findBackend("cpu") as unknown as Store);
}

function lent(kernelFunc: KernelFunc, cpu: Store): KernelFunc {
  return ({ inputs, attrs, backend: home }) => {
    const store = home as unknown as Store;
    const copies = lend(inputs as unknown as Inputs, store, cpu);
    const result = kernelFunc({ inputs: copies, attrs: attrs!, backend: cpu } as never) as TensorInfo | TensorInfo[];
    const outputs = [result].flat();
    // An output may be an input that passed through: free each once.
    const used = new Set([...Object.values(copies), ...outputs].flatMap((info) => (info ? [info.dataId] : [])));
    const back = outputs.map(({ dataId, shape, dtype }) => {
      // A copy: the CPU's array is freed below.
      const values = cpu.readSync(dataId).slice();
      return { dataId: store.write(values, shape, dtype), shape, dtype };
    });
    for (const id of used) cpu.disposeData(id, true);
    return (Array.isArray(result) ? back : back[0]) as never;
  };
}

/** Copies of the inputs on the CPU back end; a tensor that is given twice is copied once. */
function lend(inputs: Inputs, from: Store, to: Store): Inputs {
  const ids = new Map<object, object>();
  const copy = (info: TensorInfo): TensorInfo => {
    const { dataId, shape, dtype } = info;
    let id = ids.get(dataId);
    if (!id) {
      id = to.write(from.readSync(dataId).slice(), shape, dtype);
      ids.set(dataId, id);
    }
    return { dataId: id, shape, dtype };
  };
  if (Array.isArray(inputs)) return inputs.map((info) => info && copy(info));
  return Object.fromEntries(Object.entries(inputs).map(([name, info]) => [name, info && copy(info)]));
}
