import { ClaraError } from "@clara/core";
import { tf } from "@clara/tensor";
import type { Connection, RunOptions, TensorFunction } from "./engine.ts";
import { joinParams, type Params } from "./params.ts";
import type { Data } from "./program.ts";
import type { HostTensor, HostTensors, Prepack } from "./protocol.ts";
import type { Sizes } from "./size.ts";
import { bindSizes, type Specs } from "./specs.ts";
import { type ProgramOptions, programOf, type Traced } from "./trace/program-of.ts";
import type { Structure } from "./trace/trace.ts";

export interface CompileOptions {
  /** What the function gets as its second argument, by name. @default none */
  readonly params?: Params | readonly Params[];
  /**
   * Copies frozen parameters into the order that is read fastest. Without it those of a mapped file stay in the file,
   * shared between processes, and those in memory are one copy for all functions. "packed" copies those of 4 and 8 bits:
   * as they are, all of a weight is unpacked for each product, 40 times the time for one row. @default true, "packed" when a
   * file is mapped
   */
  readonly prepack?: Prepack;
  /**
   * Rounds what packed weights are multiplied with to 8 bits, each block with a scale of its own. One row by a weight of 4 bits
   * then takes a third of the time, by one of 8 bits a fiftieth; hundreds of rows gain little. @default false
   */
  readonly roundInputs?: boolean | undefined;
  /**
   * Says what the function computes: it changes whenever the function or what it captures does (a version and a
   * hash of its settings). With it and the engine's `cacheFolder` the function is traced once and kept on disk.
   */
  readonly key?: string;
  /** Least size of a name, where the function cannot be traced with a few (`topk` needs at least k). */
  readonly leastSizes?: Sizes;
}

/** A compiled function. It runs in the engine's worker; runs queue, in the order of the calls. */
export interface Compiled<Outputs extends tf.TensorContainer = tf.TensorContainer> {
  /**
   * Tensors in, tensors out: the same as the function itself, with a promise. The results are the caller's to dispose.
   *
   * @throws ClaraError "shape" when inputs are not as specified, "aborted" as soon as the signal fires, "engine" when
   *   the run fails, a tensor is disposed, or the worker has ended.
   */
  (inputs: Readonly<Record<string, tf.Tensor>>, options?: RunOptions): Promise<Outputs>;
  /**
   * The same with plain arrays, without tensors on the way. They are read when the run's turn comes: leave them as they are
   * until it has ended. Outputs are by name: `"loss"`, `"layers.0"`; a single tensor is `"output"`.
   */
  run(inputs: HostTensors, options?: RunOptions): Promise<HostTensors>;
  /** How long each part of compiling took. */
  readonly milliseconds: { readonly trace: number; readonly load: number };
  /** Frees the function in the worker. */
  dispose(): Promise<void>;
}

export async function compileWith<Outputs extends tf.TensorContainer>(
  connection: Connection,
  fn: TensorFunction<Outputs>,
  specs: Specs,
  { params = [], prepack, roundInputs, key, leastSizes }: CompileOptions = {},
): Promise<Compiled<Outputs>> {
  const stores = [params].flat() as Params[];
  const started = performance.now();
  const tracing: ProgramOptions = {
    weights: joinParams("compile", stores),
    kernelSet: connection.engine === "compiled" ? "fused" : "composed",
    leastSizes,
  };
  const { program, structure } = await (key === undefined
    ? programOf(fn, specs, tracing)
    : kept(connection, JSON.stringify([key, specs, tracing]), () => programOf(fn, specs, tracing)));
  const traced = performance.now() - started;
  const id = connection.nextId();
  const options = { prepack: prepack ?? (stores.some(({ mapped }) => mapped) ? "packed" : true), roundInputs };
  const load = await connection.request("load", () => ({
    id,
    program,
    params: stores.map((store) => store.id),
    options,
  }));
  const names = program.outputs.map(({ name }) => name);

  const run = async (inputs: HostTensors, { signal }: RunOptions = {}): Promise<HostTensors> => {
    const sizes = bindSizes("compiled function", specs, inputs);
    return connection.request("run", () => ({ id, inputs: alone(inputs), sizes }), { signal });
  };
  const call = async (inputs: Readonly<Record<string, tf.Tensor>>, options?: RunOptions): Promise<Outputs> => {
    const results = await run(await toHost(inputs), options);
    const tensors = names.map((name) => toTensor(results[name]!));
    return rebuild(structure, tensors) as Outputs;
  };
  return Object.assign(call, {
    run,
    milliseconds: { trace: traced, load: load.milliseconds },
    async dispose() {
      await connection.request("release", () => ({ id }));
    },
  });
}

/** Those of this process: a second function under a key needs no trace, with or without a folder. */
const programs = new Map<string, Traced>();

/** The program that is known under a key, in this process or on disk, or else made and put there. */
async function kept(connection: Connection, key: string, make: () => Promise<Traced>): Promise<Traced> {
  const known = programs.get(key) ?? ((await connection.request("recall", () => ({ key }))) as Traced | undefined);
  const value = known ?? (await make());
  programs.set(key, value);
  if (known === undefined) await connection.request("keep", () => ({ key, value }));
  return value;
}

/** Arrays without the rest of their buffers, which would be sent along. */
function alone(inputs: HostTensors): HostTensors {
  const entries = Object.entries(inputs).map(([name, { data, shape }]): [string, HostTensor] => {
    return [name, { data: data.byteLength < data.buffer.byteLength ? data.slice() : data, shape }];
  });
  return Object.fromEntries(entries);
}

async function toHost(inputs: Readonly<Record<string, tf.Tensor>>): Promise<HostTensors> {
  if (inputs instanceof tf.Tensor) {
    throw new ClaraError("shape", "compiled function: inputs are a record of tensors by name, got one tensor");
  }
  const entries = Object.entries(inputs).map(async ([name, tensor]): Promise<[string, HostTensor]> => {
    if (!(tensor instanceof tf.Tensor)) {
      throw new ClaraError("shape", `compiled function: the input ${name} must be a tensor; for arrays use run()`);
    }
    if (tensor.isDisposed) {
      throw new ClaraError("engine", `compiled function: the input ${name} [${tensor.shape}] has been disposed`);
    }
    return [name, { data: (await tensor.data()) as Data, shape: tensor.shape }];
  });
  return Object.fromEntries(await Promise.all(entries));
}

function toTensor({ data, shape }: HostTensor): tf.Tensor {
  const dtype = data instanceof Int32Array ? "int32" : data instanceof Uint8Array ? "bool" : "float32";
  return tf.tensor(data as Float32Array, [...shape], dtype);
}

function rebuild(structure: Structure, tensors: readonly tf.Tensor[]): tf.TensorContainer {
  if (typeof structure === "number") return tensors[structure]!;
  if (Array.isArray(structure)) return structure.map((part) => rebuild(part, tensors));
  return Object.fromEntries(Object.entries(structure).map(([key, part]) => [key, rebuild(part, tensors)]));
}
