import { createRequire } from "node:module";
import { ClaraError } from "@clara/core";
import { diagnose, troubleOf } from "./diagnose.ts";
import { loadTfjsNode } from "./tfjs-node.ts";
import type { BackendName, LoadedBackend, OpenRequire } from "./types.ts";
import { loadWasm } from "./wasm.ts";

export interface LoadBackendOptions {
  /** Folder of the back end's npm package. @default what `engine install` noted, else what Node.js finds from here */
  readonly packageFolder?: string | undefined;
  /** A `tfjs_binding.node` of `engine install`. @default the newest below `cache`, else the package's own */
  readonly addon?: string | undefined;
  /** The folder below which `engine install` builds. */
  readonly cache?: string | undefined;
}

export const backendNames: readonly BackendName[] = ["tfjs-node-gpu", "tfjs-node", "wasm", "cpu"];

/**
 * Loads a back end of TensorFlow.js by its name, makes it the current one and waits until it is ready. What is missing
 * is an error: nothing falls back to another back end.
 *
 * For tfjs-node the native library reads the environment of the process: see `prepareEnvironment`. Its operations run
 * on the thread that calls them, so call this in a worker.
 *
 * @param importer replaces Node.js's `require`, for tests.
 * @returns `tf` is the TensorFlow.js to call: tfjs-node brings its own.
 * @throws ClaraError "engine" with the cause and the commands that help when it does not load, or when
 *   `tfjs-node-gpu` finds no GPU; "option" when the name is not known.
 */
export async function loadBackend(
  name: BackendName,
  options: LoadBackendOptions = {},
  importer: OpenRequire = createRequire,
): Promise<LoadedBackend> {
  if (!backendNames.includes(name)) {
    throw new ClaraError("option", `loadBackend: name must be one of ${backendNames.join(", ")}, got "${name}"`);
  }
  const from = { here: import.meta.url, open: importer };
  try {
    if (name === "tfjs-node" || name === "tfjs-node-gpu") return await loadTfjsNode(name, options, from);
    const { tf } = await import("@clara/tensor");
    if (name === "wasm") return await loadWasm(tf, options.packageFolder, from);
    if (!(await tf.setBackend("cpu"))) throw new Error("the CPU back end could not be initialized");
    await tf.ready();
    return { name, tf, details: { backend: "cpu", borrowed: [] } };
  } catch (cause) {
    const { cause: reason, advice } = diagnose(troubleOf(cause), name);
    throw new ClaraError("engine", [`loadBackend: ${name} cannot be used: ${reason}`, ...advice].join("\n"), { cause });
  }
}
