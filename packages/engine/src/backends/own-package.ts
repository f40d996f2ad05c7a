import { join } from "node:path";
import { type OpenRequire, type Require, tfjsVersion } from "./types.ts";

/**
 * `require` as a package's own files have it.
 *
 * @param names of packages that will do, the best first.
 * @throws Error when the folder holds another package or another version.
 */
export function ownRequire(
  folder: string,
  names: readonly string[],
  open: OpenRequire,
): { own: Require; packageName: string } {
  const own = open(join(folder, "package.json"));
  let manifest: { name?: string; version?: string } = {};
  try {
    manifest = own(join(folder, "package.json")) as typeof manifest;
  } catch {}
  const { name: packageName = "", version } = manifest;
  if (!names.includes(packageName) || version !== tfjsVersion) {
    const got = packageName === "" ? "no package" : `${packageName} ${version}`;
    throw new Error(`${folder} holds ${got}, and ${names[0]} ${tfjsVersion} is needed`);
  }
  return { own, packageName };
}

/**
 * Loads modules that may bring a second copy of TensorFlow.js into this thread. The copies share their registries and
 * say so on the console, which no package does.
 */
export function quietly<T>(load: () => T): T {
  // Where all copies keep what they share; absent while there is none.
  const { _tfengine: engine } = globalThis as { _tfengine?: { ENV: Environment } };
  if (!engine) return load();
  const before = engine.ENV.getBool("PROD");
  engine.ENV.set("PROD", true);
  try {
    return load();
  } finally {
    engine.ENV.set("PROD", before);
  }
}

interface Environment {
  getBool(flag: string): boolean;
  set(flag: string, value: boolean): void;
}
