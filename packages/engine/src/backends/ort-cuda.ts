import { join } from "node:path";
import type { Diagnosis } from "./diagnose.ts";

/** What `diagnoseCuda` asks of the machine. */
export interface CudaHost {
  /** Folder of `onnxruntime_binding.node`: `bin/napi-v6/<platform>/<arch>` of onnxruntime-node. */
  readonly folder: string;
  /** Version of onnxruntime-node. */
  readonly version: string;
  /** Version that the provider was installed from, when `engine install ort-cuda` noted it (`cuda-provider.txt`). */
  readonly providerVersion?: string | undefined;
  /** @default process.platform */
  readonly platform?: string;
  /** @default process.arch */
  readonly arch?: string;
  exists(path: string): boolean;
  /** The output of `ldd <path>`, or undefined where there is no ldd. */
  ldd(path: string): Promise<string | undefined>;
}

export interface CudaFindings extends Diagnosis {
  /** Whether everything that can be seen without a session is there. */
  readonly ok: boolean;
  /** Of the two files of the provider, those that are not beside the binding. */
  readonly missingFiles: readonly string[];
  /** Libraries that the dynamic linker does not find. */
  readonly missingLibraries: readonly string[];
}

/** The two files of the provider. The second is tiny and loads the first. */
export const cudaProviderFiles: readonly string[] = [
  "libonnxruntime_providers_cuda.so",
  "libonnxruntime_providers_shared.so",
];
/** Where `engine install ort-cuda` notes the version of the two files, beside them. */
export const cudaProviderNote = "cuda-provider.txt";

/**
 * Which of the provider's needs are met: its two files beside the binding, of the same version; the CUDA libraries that
 * they are linked with. What only a session shows (cuDNN, the device) is not seen here.
 */
export async function diagnoseCuda(host: CudaHost): Promise<CudaFindings> {
  const { folder, version, providerVersion, platform = process.platform, arch = process.arch } = host;
  if (platform !== "linux" || arch !== "x64") {
    const cause = `ONNX Runtime has no CUDA provider for ${platform}-${arch}`;
    return { ok: false, cause, advice: [], missingFiles: [], missingLibraries: [] };
  }
  const install = providerCommands(version);
  const missingFiles = cudaProviderFiles.filter((file) => !host.exists(join(folder, file)));
  if (missingFiles.length > 0) {
    const cause = `${missingFiles.join(" and ")} ${missingFiles.length > 1 ? "are" : "is"} not in ${folder}`;
    return { ok: false, cause, advice: install, missingFiles, missingLibraries: [] };
  }
  if (providerVersion !== undefined && providerVersion !== version) {
    const cause = `the CUDA provider is of version ${providerVersion}, and onnxruntime-node of ${version}: they must be the same`;
    return { ok: false, cause, advice: install, missingFiles: [], missingLibraries: [] };
  }
  const linked = await host.ldd(join(folder, cudaProviderFiles[0]!));
  const missingLibraries = unresolved(linked ?? "");
  if (missingLibraries.length > 0) {
    const cause = `the CUDA provider is there, and the linker does not find ${missingLibraries.join(", ")}`;
    return { ok: false, cause, advice: libraryCommands(version, missingLibraries), missingFiles: [], missingLibraries };
  }
  const cause = `the CUDA provider of ONNX Runtime ${version} is there${linked === undefined ? "" : ", and all that it is linked with"}`;
  return { ok: true, cause, advice: [], missingFiles: [], missingLibraries: [] };
}

/** The libraries that `ldd` says are not found, each once. */
export function unresolved(ldd: string): string[] {
  return [...new Set([...ldd.matchAll(/^\s*(\S+) => not found/gm)].map(([, name]) => name!))];
}

/** ONNX Runtime's wheels need CUDA 13 from 1.27 on, 12 before. */
export function cudaGeneration(version: string): 12 | 13 {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 1 || minor >= 27 ? 13 : 12;
}

function providerCommands(version: string): string[] {
  return [
    `pip download --no-deps --only-binary=:all: --python-version 3.11 --implementation cp --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 onnxruntime-gpu==${version}`,
    `rag-master engine install ort-cuda --from onnxruntime_gpu-${version}-*.whl`,
  ];
}

function libraryCommands(version: string, missing: readonly string[]): string[] {
  const cuda = missing.filter((library) => /^lib(cu|nv)/.test(library) && !library.startsWith("libcuda.so"));
  const driver = missing.filter((library) => library.startsWith("libcuda.so"));
  const others = missing.filter((library) => !cuda.includes(library) && !driver.includes(library));
  const generation = cudaGeneration(version);
  return [
    ...(cuda.length === 0
      ? []
      : [
          // The wheel names the CUDA libraries that it was built with: its extras bring them, cuDNN too, which ldd does not list.
          `pip install --target cuda 'onnxruntime-gpu[cuda,cudnn]==${version}'`,
          "export LD_LIBRARY_PATH=$(echo $PWD/cuda/nvidia/*/lib | tr ' ' ':'):$LD_LIBRARY_PATH # before Node.js starts",
        ]),
    ...(driver.length === 0
      ? []
      : [
          `nvidia-smi must list a GPU: install NVIDIA's driver for CUDA ${generation} or newer, and start a container with its GPUs (docker run --gpus all)`,
        ]),
    ...(others.length === 0 ? [] : [`install the system's packages that hold ${others.join(", ")}`]),
  ];
}
