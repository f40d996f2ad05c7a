import { dirname, join, sep } from "node:path";
import { borrowKernel, borrowKernels } from "./borrow-kernels.ts";
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
  const borrowed = borrowKernels(tf, "wasm");
  mend(tf);
  return { name: "wasm", tf, details: { backend: "wasm", packageFolder: folder, borrowed } };
}

/** What the kernels of the WebAssembly back end get wrong, without an error: that goes to the CPU back end. */
const wrong: Readonly<Record<string, (attrs: { batchDims?: number; dtype?: string }) => boolean>> = {
  // Takes rows from wrong places, unless each has as many indices as there are rows.
  // @see https://github.com/tensorflow/tfjs/issues/8658
  GatherV2: ({ batchDims = 0 }) => batchDims > 0,
  // Writes whole numbers into an array of float32.
  OneHot: ({ dtype }) => dtype !== "int32",
};

function mend(tf: Tf): void {
  for (const [name, isWrong] of Object.entries(wrong)) {
    const own = tf.getKernel(name, "wasm")!;
    const right = borrowKernel(tf, name);
    tf.unregisterKernel(name, "wasm");
    tf.registerKernel({
      ...own,
      kernelFunc: (call) => (isWrong(call.attrs as Parameters<typeof isWrong>[0]) ? right : own.kernelFunc)(call),
    });
  }
}
