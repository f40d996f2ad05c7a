import type { BackendName } from "./types.ts";

/**
 * Sets what TensorFlow's library reads from the environment when it is loaded; what is set already stays.
 *
 * The library asks the process, not the thread: call it on the main thread before the worker starts, or start the
 * worker with `env: SHARE_ENV`. In a worker with a copy of the environment it changes nothing.
 */
export function prepareEnvironment(
  name: BackendName,
  environment: Record<string, string | undefined> = process.env,
): void {
  if (name !== "tfjs-node" && name !== "tfjs-node-gpu") return;
  // Errors only: the library would write pages about CPU features and CUDA factories to stderr.
  environment.TF_CPP_MIN_LOG_LEVEL ??= "3";
  // Otherwise it takes nearly all memory of the GPU at once.
  environment.TF_FORCE_GPU_ALLOW_GROWTH ??= "true";
}
