import { ClaraError } from "@clara/core";
import type { Connection } from "./engine.ts";
import type { Dtype } from "./program.ts";
import type { HostTensor, HostTensors, ParamSource } from "./protocol.ts";
import { typeOf } from "./specs.ts";

export interface ParamsOptions {
  /** Whether trainers change them. Those that are frozen become part of each function that prepacks. @default false */
  readonly trainable?: boolean;
  /** Moves the arrays to the worker instead of copying them: they are empty afterwards. @default false */
  readonly transfer?: boolean;
}

/** Parameters in an engine's worker. */
export interface Params {
  readonly id: number;
  readonly trainable: boolean;
  /** Whether they have stayed in a file. */
  readonly mapped: boolean;
  readonly shapes: Readonly<Record<string, { readonly shape: readonly number[]; readonly dtype: Dtype }>>;
  /** Copies of the numbers, all or those named. */
  read(names?: readonly string[]): Promise<HostTensors>;
  /** Sets some or all. @throws ClaraError "shape" when a name, shape or type is not the store's, "weights" for NaN. */
  write(values: HostTensors): Promise<void>;
  /** Forgets them in the worker; functions that use them go on. */
  dispose(): Promise<void>;
}

export async function createParams(
  connection: Connection,
  source: HostTensors | ParamSource,
  { trainable = false, transfer = false }: ParamsOptions = {},
): Promise<Params> {
  const id = connection.nextId();
  const from: ParamSource = isSource(source) ? source : { arrays: source };
  if ("arrays" in from)
    for (const [name, array] of Object.entries(from.arrays)) checkArray("engine.params", name, array);
  const sent = "arrays" in from && !transfer ? { arrays: await copies(from.arrays) } : from;
  const shapes = await connection.request("params", () => ({ id, source: sent, trainable }), {
    transfer: ({ source }) => ("arrays" in source ? buffersOf(source.arrays) : []),
  });
  const check = (where: string, name: string): Params["shapes"][string] => {
    const known = shapes[name];
    if (known) return known;
    throw new ClaraError("shape", `${where}: there is no parameter ${name}`);
  };
  return {
    id,
    trainable,
    mapped: "file" in from,
    shapes,
    async read(names) {
      for (const name of names ?? []) check("params.read", name);
      return connection.request("read", () => ({ id, ...(names && { names }) }));
    },
    async write(values) {
      if (!trainable) throw new ClaraError("option", "params.write: frozen parameters are part of compiled functions");
      for (const [name, array] of Object.entries(values)) {
        const wanted = check("params.write", name);
        checkArray("params.write", name, array);
        const [needed, got] = [
          `${wanted.dtype} [${wanted.shape.join(", ")}]`,
          `${typeOf(array.data)} [${array.shape.join(", ")}]`,
        ];
        if (got !== needed) throw new ClaraError("shape", `params.write: ${name} must be ${needed}, got ${got}`);
      }
      await connection.request("write", () => ({ id, values }));
    },
    async dispose() {
      await connection.request("release", () => ({ id }));
    },
  };
}

/** Copies that are moved: an array that is sent as it is would be copied twice on its way. */
/** Bytes after which others have their turn. */
const turn = 2 ** 25;

async function copies(arrays: HostTensors): Promise<HostTensors> {
  const made: Record<string, HostTensor> = {};
  let bytes = 0;
  for (const [name, { data, shape }] of Object.entries(arrays)) {
    made[name] = { data: data.slice(), shape };
    bytes += data.byteLength;
    if (bytes < turn) continue;
    bytes = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return made;
}

function buffersOf(arrays: HostTensors): ArrayBuffer[] {
  return [...new Set(Object.values(arrays).map(({ data }) => data.buffer as ArrayBuffer))];
}

function checkArray(where: string, name: string, { data, shape }: HostTensor): void {
  if (!["float32", "int32", "bool"].includes(typeOf(data))) {
    throw new ClaraError(
      "weights",
      `${where}: ${name} must be a Float32Array, Int32Array or Uint8Array, got ${typeOf(data)}`,
    );
  }
  const count = shape.reduce((a, b) => a * b, 1);
  if (data.length === count && count > 0) return;
  const needed = count > 0 ? `must have ${count} numbers` : "has no numbers";
  throw new ClaraError("weights", `${where}: ${name} [${shape.join(", ")}] ${needed}, got ${data.length}`);
}

function isSource(source: HostTensors | ParamSource): source is ParamSource {
  return typeof (source as { file?: unknown }).file === "string";
}

/** The parameters of several stores by name. @throws ClaraError "option" when two have the same name. */
export function joinParams(where: string, stores: readonly Params[]): Params["shapes"] {
  const joined: Record<string, Params["shapes"][string]> = {};
  for (const { shapes } of stores) {
    for (const [name, entry] of Object.entries(shapes)) {
      if (name in joined) throw new ClaraError("option", `${where}: two stores have a parameter ${name}`);
      joined[name] = entry;
    }
  }
  return joined;
}
