import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { BackendName } from "./types.ts";

/** A TensorFlow library with its addon, as `engine install` leaves it. */
export interface TensorflowInstall {
  readonly engine: "tfjs-node" | "tfjs-node-gpu";
  /** Version of the TensorFlow library. */
  readonly tensorflow: string;
  /** Absolute path of `tfjs_binding.node`. */
  readonly addon: string;
  /** Absolute path of the npm package whose JavaScript goes with it. */
  readonly packageFolder: string;
}

/** The note beside each build: `{ engine, tensorflow, addon (relative to the folder), packageFolder }`. */
export const installNote = "install.json";

/**
 * The newest build for an engine below the cache folder of `engine install`, or nothing.
 * A folder without a readable note is not a build (it may be one that was interrupted) and is passed over.
 */
export function findInstall(cache: string, engine: BackendName): TensorflowInstall | undefined {
  let folders: string[];
  try {
    folders = readdirSync(cache).filter((name) => /^libtensorflow-[\w.]+(-gpu)?$/.test(name));
  } catch {
    return undefined;
  }
  return folders
    .flatMap((folder) => readNote(join(cache, folder)) ?? [])
    .filter((install) => install.engine === engine)
    .sort((a, b) => b.tensorflow.localeCompare(a.tensorflow, "en", { numeric: true }))[0];
}

function readNote(folder: string): TensorflowInstall | undefined {
  try {
    const { engine, tensorflow, addon, packageFolder } = JSON.parse(readFileSync(join(folder, installNote), "utf8"));
    if (engine !== "tfjs-node" && engine !== "tfjs-node-gpu") return undefined;
    if ([tensorflow, addon, packageFolder].some((value) => typeof value !== "string")) return undefined;
    return { engine, tensorflow, addon: join(folder, addon), packageFolder };
  } catch {
    return undefined;
  }
}
