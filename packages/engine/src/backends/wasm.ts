import { dirname, join, sep } from "node:path";
import { borrowKernels } from "./borrow-kernels.ts";
import { ownRequire, quietly } from "./own-package.ts";
import type { LoadedBackend, OpenRequire, Tf } from "./types.ts";

interface WasmPackage {
  setWasmPaths(folder: string): void;
}

const PACKAGE = "@tensorflow/tfjs-backend-wasm";

/** @throws whatever `require` and the back end throw. */
export async function loadWasm(
  tf: Tf,
  packageFolder: string | undefined,
  { here, open }: { here: string; open: OpenRequire },
): Promise<LoadedBackend> {
  const folder = packageFolder ?? dirname(open(here).resolve(`${PACKAGE}/package.json`));
  const { own } = ownRequire(folder, [PACKAGE], open);
  // It registers itself with its own copy of the core, if it has one; the copies share their registries.
  const wasm = quietly(() => own(folder) as WasmPackage);
  if (tf.getBackend() !== "wasm") {
    // Refused once the back end has started.
    try {
      wasm.setWasmPaths(join(folder, "dist") + sep);
    } catch {}
  }
  if (!(await tf.setBackend("wasm"))) throw new Error("the WebAssembly back end could not be initialized");
  await tf.ready();
  return {
    name: "wasm",
    tf,
    details: { backend: "wasm", packageFolder: folder, borrowed: borrowKernels(tf, "wasm") },
  };
}
