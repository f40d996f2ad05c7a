import { type Run, runProgram } from "./run-program.ts";

export interface TriedTfjsNode {
  readonly ok: boolean;
  /** Version of the TensorFlow library. */
  readonly tensorflow?: string;
  readonly gpu?: boolean;
  /** All that was written meanwhile: TensorFlow gives its reasons nowhere else. */
  readonly stderr: string;
}

// Plain CommonJS for `node -e`: what is tried is the addon, not our loader. Mistakes of the library end this process only.
const program = `
const [folder, addon] = process.argv.slice(1);
process.env.TF_CPP_MIN_LOG_LEVEL = "0";
process.env.TF_FORCE_GPU_ALLOW_GROWTH = "true";
const util = require("node:util");
util.isNullOrUndefined = (value) => value == null;
util.isArray = Array.isArray;
const own = require("node:module").createRequire(folder + "/package.json");
const tf = own("@tensorflow/tfjs");
if (addon) {
  own("./dist/register_all_kernels");
  const { NodeJSKernelBackend } = own("./dist/nodejs_kernel_backend");
  const binding = own(addon);
  tf.registerBackend("tensorflow", () => new NodeJSKernelBackend(binding, own("./package.json").name), 3);
} else own("./dist/index.js");
tf.setBackend("tensorflow").then(() => {
  const gradient = tf.grad((x) => tf.sum(tf.matMul(x, tf.tensor2d([5, 6, 7, 8], [2, 2]))));
  const values = [...gradient(tf.tensor2d([1, 2, 3, 4], [2, 2])).dataSync()];
  const { isUsingGpuDevice: gpu, binding } = tf.backend();
  console.log("TRIED" + JSON.stringify({ tensorflow: binding.TF_Version, gpu, values }));
});
`;

/**
 * Loads tfjs-node in a process of its own and differentiates a product there: `ok` means that the gradient is right.
 *
 * @param packageFolder of `@tensorflow/tfjs-node` or `-gpu`.
 * @param addon the addon to use; without it, the package's own.
 */
export async function tryTfjsNode(
  { packageFolder, addon = "" }: { packageFolder: string; addon?: string },
  { run = runProgram, signal }: { run?: Run; signal?: AbortSignal | undefined } = {},
): Promise<TriedTfjsNode> {
  const { stdout, stderr } = await run(process.execPath, ["-e", program, packageFolder, addon], {
    ...(signal ? { signal } : {}),
  });
  try {
    const { tensorflow, gpu, values } = JSON.parse(/^TRIED(.*)$/m.exec(stdout)![1]!);
    // Each element of x meets one row of the matrix: 5 + 6 and 7 + 8.
    return { ok: String(values) === "11,15,11,15", tensorflow, gpu, stderr };
  } catch {
    return { ok: false, stderr };
  }
}
