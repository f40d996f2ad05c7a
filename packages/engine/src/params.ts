import { ClaraError } from "@clara/core";
import type { Connection } from "./engine.ts";
import type { Dtype } from "./program.ts";
import type { HostTensors, ParamSource } from "./protocol.ts";

export interface ParamsOptions {
  /** Whether trainers change them. Those that are frozen become part of each compiled function. @default false */
  readonly trainable?: boolean;
}

/** Parameters in an engine's worker. */
export interface Params {
  readonly id: number;
  readonly trainable: boolean;
  readonly shapes: Readonly<Record<string, { readonly shape: readonly number[]; readonly dtype: Dtype }>>;
  /** Copies of the numbers, all or those named. */
  read(names?: readonly string[]): Promise<HostTensors>;
  /** Sets some or all. @throws ClaraError "shape" when a name or a shape is not the store's, "engine" for NaN. */
  write(values: HostTensors): Promise<void>;
  /** Forgets them in the worker; functions that use them go on. */
  dispose(): Promise<void>;
}

export async function createParams(
  connection: Connection,
  source: HostTensors | ParamSource,
  { trainable = false }: ParamsOptions = {},
): Promise<Params> {
  const id = connection.nextId();
  const from: ParamSource = isSource(source) ? source : { arrays: source };
  if ("arrays" in from) {
    for (const [name, { data, shape }] of Object.entries(from.arrays)) {
      const count = shape.reduce((a, b) => a * b, 1);
      if (data.length === count && count > 0) continue;
      throw new ClaraError("weights", `engine.params: ${name} [${shape}] must have ${count} numbers, got ${data.length}`);
    }
  }
  const shapes = await connection.request("params", () => ({ id, source: from, trainable }));
  const check = (where: string, name: string): { shape: readonly number[] } => {
    const known = shapes[name];
    if (known) return known;
    throw new ClaraError("shape", `${where}: there is no parameter ${name}`);
  };
  return {
    id,
    trainable,
    shapes,
    read(names) {
      for (const name of names ?? []) check("params.read", name);
      return connection.request("read", () => ({ id, ...(names && { names }) }));
    },
    async write(values) {
      if (!trainable) throw new ClaraError("option", "params.write: frozen parameters are part of compiled functions");
      for (const [name, { shape }] of Object.entries(values)) {
        const wanted = check("params.write", name).shape;
        if (wanted.length === shape.length && wanted.every((size, i) => size === shape[i])) continue;
        throw new ClaraError("shape", `params.write: ${name} must be [${wanted}], got [${shape}]`);
      }
      await connection.request("write", () => ({ id, values }));
    },
    async dispose() {
      await connection.request("release", () => ({ id }));
    },
  };
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
