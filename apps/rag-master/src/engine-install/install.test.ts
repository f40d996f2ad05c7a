import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { installOrtCuda } from "./install-ort-cuda.ts";
import { type InstallTfjsNodeOptions, installTfjsNode } from "./install-tfjs-node.ts";
import type { Ended, Run } from "./run-program.ts";
import { makeWheel } from "./testing/make-wheel.ts";

let folder = "";
let cache = "";
let addonPackage = "";
let headers = "";
const linux = { platform: "linux", arch: "x64" };
const libraries = {
  "tensorflow/libtensorflow_cc.so.2": "the library",
  "tensorflow/libtensorflow_framework.so.2": "its framework",
  "tensorflow/include/tensorflow/c/c_api.h": "c",
  "tensorflow/include/tensorflow/core/framework/op.h": "not needed",
  "tensorflow/python/keras.py": "not needed",
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "clara-install-"));
  cache = join(folder, "cache");
  addonPackage = join(folder, "tfjs-node");
  headers = join(folder, "node-api-headers");
  mkdirSync(join(addonPackage, "binding"), { recursive: true });
  mkdirSync(join(headers, "include"), { recursive: true });
  writeFileSync(join(addonPackage, "package.json"), '{ "name": "@tensorflow/tfjs-node", "version": "4.22.0" }');
  writeFileSync(join(addonPackage, "binding/tfjs_binding.cc"), "");
  writeFileSync(join(headers, "include/node_api.h"), "");
});
afterEach(() => rmSync(folder, { recursive: true }));

const wheel = (name = "tensorflow-cpu", version = "2.18.1", files: Record<string, string> = libraries) =>
  makeWheel(folder, { name, version, files });

interface Machine {
  readonly gxx?: boolean;
  readonly compiles?: boolean;
  readonly works?: boolean;
  readonly gpu?: boolean;
  readonly strip?: boolean;
}

/** A machine with a compiler, on which what is built works. */
function machine(options: Machine = {}): { run: Run; ran: string[][] } {
  const { gxx = true, compiles = true, works = true, gpu = false, strip = true } = options;
  const ran: string[][] = [];
  const ended = (code: number | null, stdout = "", stderr = ""): Ended => ({ code, stdout, stderr });
  const run: Run = async (program, args) => {
    ran.push([program, ...args]);
    if (program === "strip") return strip ? ended(0) : ended(null);
    if (program === "g++" && args[0] === "--version") return gxx ? ended(0) : ended(null);
    if (program === "g++") {
      if (!compiles) return ended(1, "", "In file included\nx.cc:3: fatal error: c_api.h: No such file\ndone");
      writeFileSync(args[args.indexOf("-o") + 1]!, "an addon");
      return ended(0);
    }
    expect(program).toBe(process.execPath);
    if (!works) return ended(1, "", "noise\nError: libtensorflow_cc.so.2: cannot open shared object file");
    const said = JSON.stringify({ tensorflow: "2.18.1", gpu, values: [11, 15, 11, 15] });
    return ended(0, `noise\nTRIED${said}\n`, "failed call to cuInit (303)");
  };
  return { run, ran };
}

const install = ({ wheels = [wheel()], ...options }: Partial<InstallTfjsNodeOptions> = {}, on: Machine = {}) =>
  installTfjsNode({ wheels, addonPackage, headers, cache, machine: linux, run: machine(on).run, ...options });

describe("installTfjsNode", () => {
  it("builds into a folder of its own, which has what is needed and a note", async () => {
    const steps: string[] = [];
    const { run, ran } = machine();
    const done = await install({ run, onStep: (text) => steps.push(text) });
    const built = join(cache, "libtensorflow-2.18.1");
    const addon = join(built, "addon/napi-v8/tfjs_binding.node");
    expect(done).toEqual({
      engine: "tfjs-node",
      folder: built,
      addon,
      packageFolder: addonPackage,
      tensorflow: "2.18.1",
      gpu: false,
      stderr: "failed call to cuInit (303)",
      reused: false,
    });
    expect(readdirSync(cache)).toEqual(["libtensorflow-2.18.1"]);
    expect(readdirSync(built).sort()).toEqual(["addon", "install.json", "lib"]);
    expect(readFileSync(join(built, "lib/libtensorflow_cc.so.2"), "utf8")).toBe("the library");
    expect(readFileSync(addon, "utf8")).toBe("an addon");
    expect(JSON.parse(readFileSync(join(built, "install.json"), "utf8"))).toMatchObject({
      engine: "tfjs-node",
      tensorflow: "2.18.1",
      addon: "addon/napi-v8/tfjs_binding.node",
      packageFolder: addonPackage,
    });
    expect(ran.map(([program, first]) => `${program} ${first}`)).toEqual([
      "g++ --version",
      "g++ -O2",
      "strip --strip-unneeded",
      `${process.execPath} -e`,
    ]);
    expect(ran[1]).toContain("-Wl,-rpath,$ORIGIN/../../lib");
    expect(steps).toEqual(["unpacking tensorflow-cpu 2.18.1", "compiling the addon", "trying it"]);
  });

  it("takes what is there when it still works, and builds again when it does not", async () => {
    await install();
    const { run, ran } = machine();
    expect(await install({ run })).toMatchObject({ reused: true, gpu: false });
    expect(ran.map(([program]) => program)).toEqual([process.execPath]);
    writeFileSync(join(cache, "libtensorflow-2.18.1/lib/stale"), "");
    writeFileSync(join(cache, "libtensorflow-2.18.1/install.json"), "{}");
    expect(await install()).toMatchObject({ reused: false });
    expect(existsSync(join(cache, "libtensorflow-2.18.1/lib/stale"))).toBe(false);
  });

  it("puts NVIDIA's libraries where TensorFlow looks for them", async () => {
    const files = {
      "nvidia/cublas/lib/libcublas.so.12": "a",
      "nvidia/curand/lib/libcurand.so.10": "b",
      "nvidia/cuda_nvcc/bin/ptxas": "c",
      "nvidia/curand/include/curand.h": "d",
      "nvidia/x/lib/../../../../escaped": "e",
    };
    const wheels = [wheel("tensorflow"), makeWheel(folder, { name: "nvidia-all-cu12", version: "12.5", files })];
    const { run } = machine({ gpu: true });
    const { folder: built, gpu } = await install({ engine: "tfjs-node-gpu", wheels, run });
    expect(gpu).toBe(true);
    expect(built).toBe(join(cache, "libtensorflow-2.18.1-gpu"));
    expect(readdirSync(join(built, "lib")).sort()).toEqual([
      "libcurand.so.10",
      "libtensorflow_cc.so.2",
      "libtensorflow_framework.so.2",
    ]);
    expect(readlinkSync(join(built, "lib/libcurand.so.10"))).toBe("../nvidia/curand/lib/libcurand.so.10");
    expect(readFileSync(join(built, "lib/libcurand.so.10"), "utf8")).toBe("b");
    expect(existsSync(join(built, "nvidia/cublas/lib/libcublas.so.12"))).toBe(true);
    expect(existsSync(join(built, "nvidia/curand/include"))).toBe(false);
    expect(existsSync(join(folder, "escaped"))).toBe(false);
  });

  it.each<[string, () => Partial<InstallTfjsNodeOptions>, Machine, string, RegExp]>([
    ["no wheel", () => ({ wheels: [] }), {}, "input", /needs one wheel of tensorflow-cpu, got none/],
    ["a GPU wheel for the CPU", () => ({ wheels: [wheel("tensorflow")] }), {}, "input", /and .* is tensorflow$/],
    [
      "a CPU wheel for the GPU",
      () => ({ engine: "tfjs-node-gpu" as const }),
      {},
      "input",
      /needs one wheel of tensorflow, and .* is tensorflow-cpu$/,
    ],
    [
      "an old wheel",
      () => ({ wheels: [wheel("tensorflow-cpu", "2.11.0")] }),
      {},
      "input",
      /from 2\.12 on and below 3, got 2\.11\.0/,
    ],
    [
      "another wheel",
      () => ({ wheels: [wheel("numpy")] }),
      {},
      "input",
      /needs one wheel of tensorflow-cpu, got numpy 2\.18\.1/,
    ],
    [
      "another wheel beside it",
      () => ({ wheels: [wheel(), wheel("numpy")] }),
      {},
      "input",
      /is neither TensorFlow nor/,
    ],
    [
      "a wheel without its library",
      () => ({ wheels: [wheel("tensorflow-cpu", "2.18.1", {})] }),
      {},
      "input",
      /has no libtensorflow_cc\.so\.2/,
    ],
    [
      "a wheel for another processor",
      () => ({
        wheels: [makeWheel(folder, { name: "tensorflow-cpu", version: "2.18.1", platform: "manylinux2014_aarch64" })],
      }),
      {},
      "input",
      /is for manylinux2014_aarch64, and this machine is linux-x64; take the wheel for linux x86_64/,
    ],
    [
      "a wheel that was renamed",
      () => ({ wheels: [makeWheel(folder, { name: "tensorflow-cpu", version: "2.18.1", says: "numpy" })] }),
      {},
      "input",
      /holds numpy 2\.18\.1, which is not what its name says/,
    ],
    [
      "another system",
      () => ({ machine: { platform: "darwin", arch: "arm64" } }),
      {},
      "unsupported",
      /builds on Linux only/,
    ],
    [
      "no package",
      () => ({ addonPackage: folder }),
      {},
      "engine",
      /got no package; run\nnpm install --ignore-scripts @tensorflow\/tfjs-node@4\.22\.0/,
    ],
    [
      "no headers",
      () => ({ headers: folder }),
      {},
      "engine",
      /needs the headers of Node-API, which are not there; run\nnpm install/,
    ],
    ["no compiler", () => ({}), { gxx: false }, "engine", /needs the compiler g\+\+.*apt-get install g\+\+/],
    [
      "a compiler's error",
      () => ({}),
      { compiles: false },
      "engine",
      /could not build the addon: x\.cc:3: fatal error: c_api\.h/,
    ],
    [
      "an addon that does not load",
      () => ({}),
      { works: false },
      "engine",
      /does not compute here: Error: libtensorflow_cc\.so\.2: cannot open/,
    ],
  ])("leaves nothing behind and says what to do about %s", async (_, options, on, code, message) => {
    await expect(install(options(), on)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(existsSync(cache) ? readdirSync(cache) : []).toEqual([]);
  });

  it("does without strip, and removes what a killed process left", async () => {
    // No process has this number: it is above what Linux gives.
    mkdirSync(join(cache, "libtensorflow-2.15.1.building-99999999"), { recursive: true });
    await install({}, { strip: false });
    expect(readdirSync(cache)).toEqual(["libtensorflow-2.18.1"]);
  });

  it("keeps what was there when a new build fails, and stops when it is told to", async () => {
    await install();
    writeFileSync(join(cache, "libtensorflow-2.18.1/install.json"), "{}");
    await expect(install({}, { works: false })).rejects.toThrow("does not compute");
    expect(readdirSync(cache)).toEqual(["libtensorflow-2.18.1"]);
    await expect(install({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
    expect(readdirSync(cache)).toEqual(["libtensorflow-2.18.1"]);
  });
});

describe("installOrtCuda", () => {
  const provider = {
    "onnxruntime/capi/libonnxruntime_providers_cuda.so": "cuda",
    "onnxruntime/capi/libonnxruntime_providers_shared.so": "shared",
    "onnxruntime/capi/libonnxruntime_providers_tensorrt.so": "not needed",
  };
  const native = "bin/napi-v6/linux/x64";
  let onnxruntime = "";

  beforeEach(() => {
    onnxruntime = join(folder, "onnxruntime-node");
    mkdirSync(join(onnxruntime, native), { recursive: true });
    writeFileSync(join(onnxruntime, "package.json"), '{ "version": "1.30.0" }');
    writeFileSync(join(onnxruntime, native, "onnxruntime_binding.node"), "");
  });

  const put = ({
    wheel: path = wheel("onnxruntime-gpu", "1.30.0", provider),
    ...options
  }: {
    wheel?: string;
    onnxruntime?: string;
    machine?: typeof linux;
    signal?: AbortSignal;
  } = {}) => installOrtCuda({ wheel: path, onnxruntime, machine: linux, ...options });

  it("puts the two files beside the binding, twice if asked to, and notes their version", async () => {
    await put();
    expect(await put()).toEqual({ folder: join(onnxruntime, native), version: "1.30.0" });
    const read = (name: string) => readFileSync(join(onnxruntime, native, name), "utf8");
    expect(readdirSync(join(onnxruntime, native)).sort()).toEqual([
      "cuda-provider.txt",
      "libonnxruntime_providers_cuda.so",
      "libonnxruntime_providers_shared.so",
      "onnxruntime_binding.node",
    ]);
    expect([read("cuda-provider.txt"), read("libonnxruntime_providers_cuda.so")]).toEqual(["1.30.0\n", "cuda"]);
  });

  it.each<[string, () => Parameters<typeof put>[0], string, RegExp]>([
    [
      "of another version",
      () => ({ wheel: wheel("onnxruntime-gpu", "1.26.0", provider) }),
      "input",
      /needs onnxruntime-gpu 1\.30\.0, .* is onnxruntime-gpu 1\.26\.0; run\npip download .* onnxruntime-gpu==1\.30\.0$/,
    ],
    [
      "of another package",
      () => ({ wheel: wheel("onnxruntime", "1.30.0", provider) }),
      "input",
      /is onnxruntime 1\.30\.0/,
    ],
    [
      "without its files",
      () => ({ wheel: wheel("onnxruntime-gpu", "1.30.0", {}) }),
      "input",
      /has no libonnxruntime_providers_cuda/,
    ],
    ["for another system", () => ({ machine: { platform: "darwin", arch: "arm64" } }), "unsupported", /linux-x64 only/],
    [
      "without onnxruntime-node",
      () => ({ onnxruntime: folder }),
      "engine",
      /ONNXRUNTIME_NODE_INSTALL=skip npm install/,
    ],
    ["that is stopped", () => ({ signal: AbortSignal.abort() }), "aborted", /stopped/],
  ])("leaves nothing behind for a wheel %s", async (_, options, code, message) => {
    await expect(put(options())).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(readdirSync(join(onnxruntime, native))).toEqual(["onnxruntime_binding.node"]);
  });
});
