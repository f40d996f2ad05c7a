import type { tf } from "@clara/tensor";

/** TensorFlow.js as a loaded back end brings it: its own copy of it, or ours. */
export type Tf = typeof tf;

/** Back ends of TensorFlow.js that run a traced program kernel by kernel. */
export type BackendName = "tfjs-node-gpu" | "tfjs-node" | "wasm" | "cpu";

/** What was loaded, for `doctor` and for records. */
export interface BackendDetails {
  /** What `tf.getBackend()` says. */
  readonly backend: string;
  /** Folder of the npm package; absent for `cpu`. */
  readonly packageFolder?: string;
  /** The native addon, when it is one that `engine install` built. */
  readonly addon?: string;
  /** Version of the TensorFlow library. */
  readonly tensorflow?: string;
  /** Whether TensorFlow computes on a GPU. */
  readonly gpu?: boolean;
  /** Kernels that the back end lacks and that run on the CPU back end instead, slowly but correctly. */
  readonly borrowed: readonly string[];
}

export interface LoadedBackend {
  readonly name: BackendName;
  /** The TensorFlow.js to call: its current back end is the one that was asked for, and is ready. */
  readonly tf: Tf;
  readonly details: BackendDetails;
}

/** Node.js's `require` as it works in one place. */
export interface Require {
  (name: string): unknown;
  resolve(name: string): string;
}

/** Opens `require` as a file at that place would have it (`createRequire`); a test passes its own. */
export type OpenRequire = (from: string) => Require;

/** TensorFlow.js and its back ends, all of them: they touch each other's private parts. */
export const tfjsVersion = "4.22.0";
