import { dirname } from "node:path";
import util from "node:util";
import { borrowKernels } from "./borrow-kernels.ts";
import { prepareEnvironment } from "./environment.ts";
import { findInstall } from "./find-install.ts";
import { ownRequire, quietly } from "./own-package.ts";
import type { LoadedBackend, OpenRequire, Require, Tf } from "./types.ts";

/** The parts of the optional package that are used: it is absent where this is type-checked. */
interface KernelBackend {
  readonly isUsingGpuDevice: boolean;
  readonly binding: { readonly TF_Version: string };
}
interface Kernels {
  readonly NodeJSKernelBackend: new (binding: unknown, packageName: string) => KernelBackend;
}

const CPU = "@tensorflow/tfjs-node";
const GPU = "@tensorflow/tfjs-node-gpu";

export interface TfjsNodeOptions {
  readonly packageFolder?: string | undefined;
  readonly addon?: string | undefined;
  readonly cache?: string | undefined;
}

/**
 * Loads tfjs-node with its own copy of TensorFlow.js, which is the one to call.
 * With an addon nothing has to be built inside node_modules: the kernels and the addon are put together here.
 *
 * @throws whatever `require` and the addon throw; `Error` when no GPU is used by `tfjs-node-gpu`.
 */
export async function loadTfjsNode(
  name: "tfjs-node" | "tfjs-node-gpu",
  { packageFolder, addon, cache }: TfjsNodeOptions,
  { here, open }: { here: string; open: OpenRequire },
): Promise<LoadedBackend> {
  prepareEnvironment(name);
  supplyWhatNodeDropped();
  const install = cache === undefined || addon !== undefined ? undefined : findInstall(cache, name);
  const binding = addon ?? install?.addon;
  const names = name === "tfjs-node" ? [CPU, GPU] : [GPU, CPU];
  const folder = packageFolder ?? install?.packageFolder ?? folderOf(names, open(here));
  const { own, packageName } = ownRequire(folder, names, open);
  const tf = quietly(() => {
    const tf = own("@tensorflow/tfjs") as Tf;
    if (binding === undefined) own("./dist/index.js");
    else {
      own("./dist/register_all_kernels");
      const { NodeJSKernelBackend } = own("./dist/nodejs_kernel_backend") as Kernels;
      const native = own(binding);
      if (!tf.findBackendFactory("tensorflow")) {
        tf.registerBackend("tensorflow", () => new NodeJSKernelBackend(native, packageName) as never, 3);
      }
    }
    return tf;
  });
  if (!(await tf.setBackend("tensorflow"))) throw new Error("TensorFlow's back end could not be initialized");
  await tf.ready();
  const { isUsingGpuDevice: gpu, binding: loaded } = tf.backend() as unknown as KernelBackend;
  // TensorFlow goes on without a GPU and says nothing that a program could see.
  if (name === "tfjs-node-gpu" && !gpu) throw new Error("isUsingGpuDevice is false");
  return {
    name,
    tf,
    details: {
      backend: "tensorflow",
      packageFolder: folder,
      ...(binding === undefined ? {} : { addon: binding }),
      tensorflow: loaded.TF_Version,
      gpu,
      borrowed: borrowKernels(tf, "tensorflow"),
    },
  };
}

/** Either package will do for either engine: they differ in name only; what is loaded below them decides. */
function folderOf([best, other]: readonly string[], here: Require): string {
  try {
    return dirname(here.resolve(`${best}/package.json`));
  } catch (error) {
    try {
      return dirname(here.resolve(`${other}/package.json`));
    } catch {
      throw error;
    }
  }
}

/** tfjs-node calls them at every operation; Node.js 23 dropped the first and deprecates the second with a warning. */
function supplyWhatNodeDropped(): void {
  const mutable = util as unknown as Record<string, unknown>;
  mutable.isNullOrUndefined = (value: unknown) => value === null || value === undefined;
  mutable.isArray = Array.isArray;
}
