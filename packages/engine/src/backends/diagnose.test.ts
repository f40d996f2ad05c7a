import { describe, expect, it } from "vitest";
import { type DiagnosedName, diagnose, type Trouble, troubleOf } from "./diagnose.ts";

const recipe = /^pip download .* tensorflow-cpu==2\.18\.1\nrag-master engine install tfjs-node --from tensorflow_cpu-/m;
const gpuRecipe =
  /^pip download .* tensorflow==2\.18\.1 nvidia-cublas-cu12==12\.5\.3\.2 .*\nrag-master engine install tfjs-node-gpu/m;
const npm = /^npm install --ignore-scripts @tensorflow\/tfjs-node@4\.22\.0 node-api-headers@1\.9\.0$/m;
const skip = /^ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node$/m;

// The texts are those that were seen on real machines.
const seen: [title: string, name: DiagnosedName, trouble: Trouble, cause: RegExp, ...advice: RegExp[]][] = [
  [
    "a peer that is not installed",
    "tfjs-node",
    {
      code: "MODULE_NOT_FOUND",
      message: "Cannot find module '@tensorflow/tfjs-node/package.json'\nRequire stack:\n- /x",
    },
    /^the optional package @tensorflow\/tfjs-node is not installed$/,
    npm,
    recipe,
  ],
  [
    "a peer that an ES module did not find",
    "tfjs-node-gpu",
    { code: "ERR_MODULE_NOT_FOUND", message: "Cannot find package '@tensorflow/tfjs-node-gpu' imported from /x.js" },
    /tfjs-node-gpu is not installed/,
    npm,
    gpuRecipe,
  ],
  [
    "WebAssembly's peer",
    "wasm",
    { code: "MODULE_NOT_FOUND", message: "Cannot find module '@tensorflow/tfjs-backend-wasm/package.json'" },
    /tfjs-backend-wasm is not installed/,
    /^npm install @tensorflow\/tfjs-backend-wasm@4\.22\.0$/,
  ],
  [
    "a package without its addon",
    "tfjs-node",
    {
      message:
        "The Node.js native addon module (tfjs_binding.node) can not be found at path: /p/@tensorflow/tfjs-node/lib/napi-v8/tfjs_binding.node. \nPlease run command 'npm rebuild @tensorflow/tfjs-node --build-addon-from-source' to rebuild",
    },
    /without its scripts/,
    recipe,
  ],
  [
    "an addon that was removed",
    "tfjs-node",
    {
      code: "MODULE_NOT_FOUND",
      message: "Cannot find module '/c/libtensorflow-2.18.1/addon/napi-v8/tfjs_binding.node'",
    },
    /addon \/c\/libtensorflow-2\.18\.1\/addon\/napi-v8\/tfjs_binding\.node is not there/,
    recipe,
  ],
  [
    "a package that is not whole",
    "tfjs-node",
    { code: "MODULE_NOT_FOUND", message: "Cannot find module '@tensorflow/tfjs'" },
    /@tensorflow\/tfjs is missing/,
    npm,
  ],
  [
    "a library that was moved",
    "tfjs-node",
    {
      code: "ERR_DLOPEN_FAILED",
      message: "libtensorflow_cc.so.2: cannot open shared object file: No such file or directory",
    },
    /^libtensorflow_cc\.so\.2 was not found beside the addon/,
    recipe,
  ],
  [
    "Google's library that is missing",
    "tfjs-node-gpu",
    { message: "libtensorflow.so.2: cannot open shared object file: No such file or directory" },
    /^libtensorflow\.so\.2 was not found/,
    gpuRecipe,
  ],
  [
    "a system that is too old",
    "tfjs-node",
    { message: "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.27' not found (required by libtensorflow_cc.so.2)" },
    /needs GLIBC_2\.27/,
    /2\.12\.1 to 2\.18\.1/,
  ],
  [
    "a library for another machine",
    "tfjs-node",
    { message: "/x/tfjs_binding.node: invalid ELF header" },
    /another kind of machine/,
    recipe,
  ],
  [
    "the missing function of Node.js 23",
    "tfjs-node",
    { message: "(0 , util_1.isNullOrUndefined) is not a function" },
    /lacks util\.isNullOrUndefined/,
    /loadBackend/,
  ],
  [
    "a CUDA runtime that is missing",
    "tfjs-node-gpu",
    {
      message: "isUsingGpuDevice is false",
      stderr:
        "external/local_xla/xla/tsl/cuda/cudart_stub.cc:32] Could not find cuda drivers on your machine, GPU will not be used.",
    },
    /libcudart\.so\.12/,
    /nvidia-cuda-runtime-cu12==12\.5\.82/,
  ],
  [
    "no driver",
    "tfjs-node-gpu",
    {
      message: "isUsingGpuDevice is false",
      stderr:
        "cuda_executor.cc:1015] failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)",
    },
    /no NVIDIA driver here/,
    /nvidia-smi/,
  ],
  [
    "no visible device",
    "tfjs-node-gpu",
    { stderr: "failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: UNKNOWN ERROR (100)" },
    /shows no device/,
    /CUDA_VISIBLE_DEVICES/,
    /--gpus all/,
  ],
  [
    "CUDA libraries that are incomplete",
    "tfjs-node-gpu",
    {
      message: "isUsingGpuDevice is false",
      stderr: "Cannot dlopen some GPU libraries. Please make sure the missing libraries",
    },
    /not all of its CUDA libraries/,
    gpuRecipe,
  ],
  [
    "no GPU for an unknown reason",
    "tfjs-node-gpu",
    { message: "isUsingGpuDevice is false" },
    /found no GPU/,
    /rag-master doctor/,
    gpuRecipe,
  ],
  [
    "ONNX Runtime's provider for an unknown reason",
    "ort",
    { message: "OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library" },
    /could not load its CUDA provider/,
    /rag-master engine install ort-cuda/,
  ],
  [
    "ONNX Runtime's provider without its files",
    "ort",
    {
      message: "OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library",
      stderr:
        "Failed to load library /o/libonnxruntime_providers_shared.so with error: /o/libonnxruntime_providers_shared.so: cannot open shared object file: No such file or directory",
    },
    /could not load its CUDA provider/,
    /engine install ort-cuda/,
  ],
  [
    "ONNX Runtime's provider without a CUDA library",
    "ort",
    {
      message: "OrtSessionOptionsAppendExecutionProvider_Cuda: Failed to load shared library",
      stderr:
        "Failed to load library /o/libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open shared object file",
    },
    /CUDA library libcublasLt\.so\.13 was not found/,
    /LD_LIBRARY_PATH/,
  ],
  [
    "ONNX Runtime's provider without a driver",
    "ort",
    { stderr: "libonnxruntime_providers_cuda.so with error: libcuda.so.1: cannot open shared object file" },
    /no NVIDIA driver/,
    /nvidia-smi/,
  ],
  [
    "an install of ONNX Runtime that cannot download",
    "ort",
    { code: "ENOTFOUND", message: "getaddrinfo ENOTFOUND api.nuget.org" },
    /from api\.nuget\.org, which is not reachable/,
    skip,
  ],
  [
    "an install of tfjs-node that cannot download",
    "tfjs-node",
    { stderr: "* Downloading libtensorflow\nError: getaddrinfo ENOTFOUND storage.googleapis.com" },
    /from storage\.googleapis\.com/,
    npm,
    recipe,
  ],
  [
    "ONNX Runtime that is not installed",
    "ort",
    { message: "Cannot find package 'onnxruntime-node' imported from /x" },
    /^onnxruntime-node is not installed$/,
    skip,
  ],
];

describe("diagnose", () => {
  it.each(seen)("knows %s", (_, name, trouble, cause, ...advice) => {
    const found = diagnose(trouble, name);
    expect(found.cause).toMatch(cause);
    for (const expected of advice) expect(found.advice.join("\n")).toMatch(expected);
    expect(found.advice.length).toBeGreaterThan(0);
    expect(found.cause).not.toMatch(/[.\n]$/);
  });

  it("passes on the first line of what it does not know", () => {
    expect(diagnose({ message: "out of cheese\n  at x" }, "tfjs-node")).toEqual({ cause: "out of cheese", advice: [] });
    expect(diagnose({ message: "", stderr: "\n  oops" }, "cpu")).toEqual({ cause: "oops", advice: [] });
    expect(diagnose({ code: "EWHAT" }, "cpu").cause).toBe("EWHAT");
    expect(diagnose({}, "cpu").cause).toBe("it gave no reason");
  });
});

describe("troubleOf", () => {
  it("gathers messages and the code along the causes", () => {
    const cause = Object.assign(new Error("deep"), { code: "ERR_DLOPEN_FAILED" });
    const error = new Error("shallow", { cause });
    expect(troubleOf(error, "said")).toEqual({ message: "shallow\ndeep", code: "ERR_DLOPEN_FAILED", stderr: "said" });
    expect(troubleOf("text").message).toBe("text");
    expect(troubleOf(null).message).toBe("null");
    cause.cause = error;
    expect(troubleOf(error).message?.split("\n")).toHaveLength(5);
  });
});
