import { defineConfig, type UserConfig } from "tsdown";

/** One build for every package: ESM and declarations, nothing bundled from outside the package. */
export function library(entry: string[] = ["src/index.ts"], options: UserConfig = {}): ReturnType<typeof defineConfig> {
  return defineConfig({
    entry,
    format: "esm",
    platform: "node",
    target: "node22",
    dts: true,
    fixedExtension: false,
    sourcemap: false,
    logLevel: "warn",
    ...options,
  });
}
