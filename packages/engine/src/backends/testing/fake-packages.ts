import { dirname, join } from "node:path";
import type { OpenRequire } from "../types.ts";

/** Modules by their absolute paths; a function is called for its value, and may throw. */
export type FakeModules = Readonly<Record<string, unknown>>;

/** Node.js's `require` over modules that are only said to be there, below `/node_modules`. */
export function fakeRequire(modules: FakeModules): OpenRequire & { readonly asked: string[] } {
  const asked: string[] = [];
  const open = (from: string) => {
    const resolve = (name: string): string => {
      const path = name.startsWith(".")
        ? join(dirname(from), name)
        : name.startsWith("/")
          ? name
          : join("/node_modules", name);
      if (path in modules) return path;
      throw Object.assign(new Error(`Cannot find module '${name}'\nRequire stack:\n- ${from}`), {
        code: "MODULE_NOT_FOUND",
      });
    };
    const load = (name: string): unknown => {
      const path = resolve(name);
      asked.push(path);
      const module = modules[path];
      return typeof module === "function" ? module() : module;
    };
    return Object.assign(load, { resolve });
  };
  return Object.assign(open, { asked });
}

export interface FakeTfjsOptions {
  readonly gpu?: boolean;
  readonly TF_Version?: string;
  readonly starts?: boolean;
}

/** As much of TensorFlow.js as loading a back end touches. */
export function fakeTfjs({ gpu = false, TF_Version = "2.18.1", starts = true }: FakeTfjsOptions = {}): {
  tf: object;
  Backend: new (binding: unknown, packageName: string) => object;
  made: { binding: unknown; packageName: string }[];
} {
  const factories = new Map<string, () => object>();
  const made: { binding: unknown; packageName: string }[] = [];
  let current: object | undefined;
  class Backend {
    readonly isUsingGpuDevice: boolean = gpu;
    readonly binding: object = { TF_Version };
    constructor(binding: unknown, packageName: string) {
      made.push({ binding, packageName });
    }
  }
  const tf = {
    findBackendFactory: (name: string) => factories.get(name) ?? null,
    registerBackend: (name: string, factory: () => object) => factories.set(name, factory),
    setBackend: async (name: string) => {
      current = factories.get(name)?.();
      return starts && current !== undefined;
    },
    ready: async () => {},
    backend: () => current,
    findBackend: () => null,
    getKernelsForBackend: () => [],
  };
  return { tf, Backend, made };
}
