import { existsSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { arch, platform } from "node:os";
import { join, resolve } from "node:path";
import { ClaraError, throwIfAborted } from "@clara/core";
import { openWheel, requirePlatform } from "./wheel.ts";

export interface InstallOrtCudaOptions {
  /** The wheel file of onnxruntime-gpu. */
  readonly wheel: string;
  /** Folder of onnxruntime-node. */
  readonly onnxruntime: string;
  readonly signal?: AbortSignal | undefined;
  /** @default this machine */
  readonly machine?: { readonly platform: string; readonly arch: string };
}

/** The second is tiny and loads the first. */
const files = ["libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so"];

/**
 * Puts the two files of ONNX Runtime's CUDA provider beside the library that loads them.
 *
 * @returns the folder they are in.
 * @throws ClaraError "input" when the wheel is not onnxruntime-gpu of the same version, "unsupported" on other machines
 *   than Linux x64, "engine" when onnxruntime-node is not there, "io" when its folder cannot be written.
 */
export async function installOrtCuda(options: InstallOrtCudaOptions): Promise<{ folder: string; version: string }> {
  const { wheel: path, onnxruntime, signal, machine = { platform: platform(), arch: arch() } } = options;
  const where = "engine install ort-cuda";
  if (machine.platform !== "linux" || machine.arch !== "x64") {
    const here = `${machine.platform}-${machine.arch}`;
    throw new ClaraError("unsupported", `${where}: ONNX Runtime has CUDA for linux-x64 only, and this is ${here}`);
  }
  const folder = join(resolve(onnxruntime), "bin", "napi-v6", "linux", "x64");
  if (!existsSync(join(folder, "onnxruntime_binding.node"))) {
    throw new ClaraError(
      "engine",
      `${where}: ${folder} has no onnxruntime_binding.node; run\nONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node`,
    );
  }
  const { version } = JSON.parse(await readFile(join(onnxruntime, "package.json"), "utf8")) as { version: string };
  const wheel = await openWheel(path);
  try {
    requirePlatform(wheel, machine);
    if (wheel.name !== "onnxruntime-gpu" || wheel.version !== version) {
      throw new ClaraError(
        "input",
        `${where}: needs onnxruntime-gpu ${version}, the version of onnxruntime-node, and ${path} is ${wheel.name} ${wheel.version}; run\npip download --no-deps --only-binary=:all: --python-version 3.11 --implementation cp --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 onnxruntime-gpu==${version}`,
      );
    }
    const entries = files.map((file) => {
      const entry = wheel.zip.entries.find(({ name }) => name === `onnxruntime/capi/${file}`);
      if (!entry) throw new ClaraError("input", `${path}: has no ${file}; download it again`);
      return { file, entry, partial: join(folder, `${file}.partial-${process.pid}`) };
    });
    try {
      for (const { entry, partial } of entries) await wheel.zip.extract(entry, partial, signal);
      for (const { file, partial } of entries) await rename(partial, join(folder, file));
      // What doctor compares, should onnxruntime-node change below them.
      await writeFile(join(folder, "cuda-provider.txt"), `${version}\n`);
    } finally {
      for (const { partial } of entries) await rm(partial, { force: true });
    }
    return { folder, version };
  } catch (error) {
    throwIfAborted(signal, where);
    if (error instanceof ClaraError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ClaraError("io", `${where}: ${folder} cannot be written: ${reason}`, { cause: error });
  } finally {
    await wheel.zip.close();
  }
}
