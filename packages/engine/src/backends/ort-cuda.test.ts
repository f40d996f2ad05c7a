import { describe, expect, it } from "vitest";
import { type CudaHost, cudaGeneration, diagnoseCuda, unresolved } from "./ort-cuda.ts";

const folder = "/o/bin/napi-v6/linux/x64";
// As ldd prints it, for the provider of ONNX Runtime 1.30.
const ldd = `	linux-vdso.so.1 (0x00007f5556956000)
	libcublasLt.so.13 => not found
	libcublas.so.13 => not found
	libcurand.so.10 => /opt/libcurand.so.10 (0x00007f)
	libcudart.so.13 => not found
	libcuda.so.1 => not found
	libstdc++.so.6 => /lib/x86_64-linux-gnu/libstdc++.so.6 (0x00007f5542200000)
	libcublas.so.13 => not found
`;
const host = (change: Partial<CudaHost> = {}): CudaHost => ({
  folder,
  version: "1.30.0",
  platform: "linux",
  arch: "x64",
  exists: () => true,
  ldd: async () => "\tlibm.so.6 => /lib/libm.so.6 (0x0)\n",
  ...change,
});

describe("diagnoseCuda", () => {
  it("finds nothing to do where all is there", async () => {
    const asked: string[] = [];
    const found = await diagnoseCuda(host({ providerVersion: "1.30.0", exists: (path) => asked.push(path) > 0 }));
    expect(found).toMatchObject({ ok: true, advice: [], missingFiles: [], missingLibraries: [] });
    expect(asked).toEqual([
      `${folder}/libonnxruntime_providers_cuda.so`,
      `${folder}/libonnxruntime_providers_shared.so`,
    ]);
  });

  it("names the files that are missing, and the wheel of the same version", async () => {
    const { ok, cause, advice, missingFiles } = await diagnoseCuda(host({ exists: (path) => path.includes("shared") }));
    expect(ok).toBe(false);
    expect(missingFiles).toEqual(["libonnxruntime_providers_cuda.so"]);
    expect(cause).toBe(`libonnxruntime_providers_cuda.so is not in ${folder}`);
    expect(advice).toEqual([
      expect.stringMatching(/^pip download .* onnxruntime-gpu==1\.30\.0$/),
      "rag-master engine install ort-cuda --from onnxruntime_gpu-1.30.0-*.whl",
    ]);
  });

  it("refuses a provider of another version", async () => {
    const { ok, cause } = await diagnoseCuda(host({ providerVersion: "1.26.0" }));
    expect(ok).toBe(false);
    expect(cause).toContain("is of version 1.26.0, and onnxruntime-node of 1.30.0");
  });

  it("names the libraries that the linker does not find, and how to get them", async () => {
    const { ok, missingLibraries, advice } = await diagnoseCuda(host({ ldd: async () => ldd }));
    expect(ok).toBe(false);
    expect(missingLibraries).toEqual(["libcublasLt.so.13", "libcublas.so.13", "libcudart.so.13", "libcuda.so.1"]);
    expect(advice).toEqual([
      "pip install --target cuda 'onnxruntime-gpu[cuda,cudnn]==1.30.0'",
      expect.stringContaining("LD_LIBRARY_PATH=$(echo $PWD/cuda/nvidia/*/lib"),
      expect.stringMatching(/nvidia-smi .* CUDA 13 or newer/),
    ]);
  });

  it("tells a missing driver, and a missing library of the system, from missing CUDA", async () => {
    const driver = await diagnoseCuda(host({ version: "1.26.0", ldd: async () => "\tlibcuda.so.1 => not found\n" }));
    expect(driver.advice).toEqual([expect.stringMatching(/CUDA 12 or newer/)]);
    const system = await diagnoseCuda(host({ ldd: async () => "\tlibz.so.1 => not found\n" }));
    expect(system.advice).toEqual(["install the system's packages that hold libz.so.1"]);
  });

  it("says where there is no such provider, and goes on where there is no ldd", async () => {
    const mac = await diagnoseCuda(host({ platform: "darwin", arch: "arm64" }));
    expect(mac).toMatchObject({ ok: false, cause: "ONNX Runtime has no CUDA provider for darwin-arm64", advice: [] });
    expect(await diagnoseCuda(host({ ldd: async () => undefined }))).toMatchObject({ ok: true });
  });

  it("knows the CUDA generation of a version, and reads ldd", () => {
    expect([
      cudaGeneration("1.26.0"),
      cudaGeneration("1.27.0"),
      cudaGeneration("1.30.0"),
      cudaGeneration("2.0.0"),
    ]).toEqual([12, 13, 13, 13]);
    expect(unresolved("")).toEqual([]);
  });
});
