import { type BackendName, tfjsVersion } from "./types.ts";

/** What is known of a failure. */
export interface Trouble {
  readonly message?: string | undefined;
  /** Node.js's code, such as MODULE_NOT_FOUND. */
  readonly code?: string | undefined;
  /** What the native libraries wrote: often the only place with the reason. */
  readonly stderr?: string | undefined;
}

export interface Diagnosis {
  /** One sentence without a full stop. */
  readonly cause: string;
  /** What to do, in order: commands as they are typed, or one sentence each. May be empty. */
  readonly advice: readonly string[];
}

/** Engines that fail in ways known here: ONNX Runtime's is `ort`. */
export type DiagnosedName = BackendName | "ort";

/** The TensorFlow release whose wheels the advice names: tried, and for CUDA 12 with cuDNN 9. */
const tensorflow = "2.18.1";
const nodeApiHeaders = "1.9.0";
const pip = "pip download --no-deps --only-binary=:all: --python-version 3.11 --implementation cp";
const platforms = "--platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64";
/** The CUDA libraries that this TensorFlow was built with, as its own wheel lists them. */
const cudaWheels = [
  "nvidia-cublas-cu12==12.5.3.2",
  "nvidia-cuda-cupti-cu12==12.5.82",
  "nvidia-cuda-nvcc-cu12==12.5.82",
  "nvidia-cuda-nvrtc-cu12==12.5.82",
  "nvidia-cuda-runtime-cu12==12.5.82",
  "nvidia-cudnn-cu12==9.3.0.75",
  "nvidia-cufft-cu12==11.2.3.61",
  "nvidia-curand-cu12==10.3.6.82",
  "nvidia-cusolver-cu12==11.6.3.83",
  "nvidia-cusparse-cu12==12.5.1.3",
  "nvidia-nccl-cu12==2.21.5",
  "nvidia-nvjitlink-cu12==12.5.82",
].join(" ");

const installPackage = `npm install --ignore-scripts @tensorflow/tfjs-node@${tfjsVersion} node-api-headers@${nodeApiHeaders}`;
const buildCpu = [
  `${pip} ${platforms} tensorflow-cpu==${tensorflow}`,
  `rag-master engine install tfjs-node --from tensorflow_cpu-${tensorflow}-*.whl`,
];
const buildGpu = [
  `${pip} ${platforms} tensorflow==${tensorflow} ${cudaWheels}`,
  `rag-master engine install tfjs-node-gpu --from tensorflow-${tensorflow}-*.whl nvidia_*.whl`,
];
const build = (name: DiagnosedName) => (name === "tfjs-node-gpu" ? buildGpu : buildCpu);
const driver = [
  "nvidia-smi must list a GPU: install NVIDIA's driver, and start a container with its GPUs (docker run --gpus all)",
  "CUDA_VISIBLE_DEVICES must not hide it: unset CUDA_VISIBLE_DEVICES",
];

interface Rule {
  readonly seen: RegExp;
  readonly cause: string | ((found: RegExpExecArray) => string);
  readonly advice: (name: DiagnosedName) => readonly string[];
}

/** The first that fits counts: causes come before what follows from them. */
const rules: readonly Rule[] = [
  {
    seen: /getaddrinfo (?:ENOTFOUND|EAI_AGAIN) ?(\S*)/,
    cause: ([, host]) => `its install script wanted to download${host ? ` from ${host}` : ""}, which is not reachable`,
    advice: (name) =>
      name === "ort"
        ? ["ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node"]
        : [installPackage, ...build(name)],
  },
  {
    seen: /tfjs_binding\.node\) can ?not be found/,
    cause: "its native addon is not there: the package was installed without its scripts",
    advice: build,
  },
  {
    seen: /Cannot find (?:module|package) '((?:[^']*[/\\])?[^'/\\]+\.node)'/,
    cause: ([, file]) => `the addon ${file} is not there`,
    advice: build,
  },
  {
    seen: /Cannot find (?:module|package) '(@tensorflow\/tfjs-backend-wasm)/,
    cause: ([, name]) => `the optional package ${name} is not installed`,
    advice: () => [`npm install @tensorflow/tfjs-backend-wasm@${tfjsVersion}`],
  },
  {
    seen: /Cannot find (?:module|package) '(@tensorflow\/tfjs-node(?:-gpu)?)(?:\/package\.json)?'/,
    cause: ([, name]) => `the optional package ${name} is not installed`,
    advice: (name) => [installPackage, ...build(name)],
  },
  {
    seen: /Cannot find (?:module|package) 'onnxruntime-node'/,
    cause: "onnxruntime-node is not installed",
    advice: () => ["ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node"],
  },
  {
    seen: /Cannot find (?:module|package) '([^']+)'/,
    cause: ([, module]) => `${module} is missing: the package is incomplete, or not where it was`,
    advice: (name) => (name === "wasm" || name === "cpu" ? ["npm install"] : [installPackage]),
  },
  {
    seen: /.+ holds .+, and @tensorflow\S+ \S+ is needed/,
    cause: ([text]) => text,
    advice: (name) =>
      name === "wasm" ? [`npm install @tensorflow/tfjs-backend-wasm@${tfjsVersion}`] : [installPackage],
  },
  {
    seen: /(libtensorflow\w*\.so[.\d]*): cannot open/,
    cause: ([, library]) => `${library} was not found beside the addon: its folder was moved or is incomplete`,
    advice: build,
  },
  {
    seen: /version [`'](GLIBC(?:XX)?_[\d.]+)' not found/,
    cause: ([, version]) => `this system is older than the library, which needs ${version}`,
    advice: () => ["take a wheel of an older release: TensorFlow 2.12.1 to 2.18.1 need glibc 2.17 only"],
  },
  {
    seen: /invalid ELF header|wrong ELF class|not a valid Win32|mach-o file, but is an incompatible/,
    cause: "the addon or its library was built for another kind of machine",
    advice: (name) => [`on ${process.platform}-${process.arch} build it again:`, ...build(name)],
  },
  {
    seen: /isNullOrUndefined\)? is not a function/,
    cause: "tfjs-node was loaded by other means on a Node.js that lacks util.isNullOrUndefined (23 and newer)",
    advice: () => ["load it with loadBackend, which supplies the function, before anything else requires it"],
  },
  {
    seen: /cuInit[^\n]*(?:\(303\)|error code 303|CUDA_ERROR_SHARED_OBJECT_INIT_FAILED)|(?<!\w)libcuda\.so\.1: cannot open/,
    cause: "there is no NVIDIA driver here (libcuda.so.1)",
    advice: () => driver.slice(0, 1),
  },
  {
    seen: /cuInit[^\n]*(?:\(100\)|CUDA_ERROR_NO_DEVICE)|no CUDA-capable device is detected/,
    cause: "the NVIDIA driver shows no device",
    advice: () => driver,
  },
  {
    seen: /Could not find cuda drivers/,
    cause: "TensorFlow found no CUDA runtime (libcudart.so.12)",
    advice: () => buildGpu,
  },
  {
    seen: /Cannot dlopen some GPU libraries/,
    cause: "TensorFlow found a GPU, but not all of its CUDA libraries",
    advice: () => buildGpu,
  },
  {
    seen: /(lib(?:cu|nv|nccl)\w*\.so[.\d]*): cannot open/,
    cause: ([, library]) => `the CUDA library ${library} was not found`,
    advice: (name) =>
      name === "ort"
        ? ["put its folder into LD_LIBRARY_PATH before Node.js starts; rag-master doctor lists all that are missing"]
        : buildGpu,
  },
  {
    seen: /Failed to load (?:shared )?library|libonnxruntime_providers_\w+\.so: cannot open/,
    cause: "ONNX Runtime could not load its CUDA provider",
    advice: () => [
      "rag-master doctor says which file or library is missing",
      "rag-master engine install ort-cuda --from onnxruntime_gpu-*.whl",
    ],
  },
  {
    seen: /isUsingGpuDevice is false/,
    cause: "TensorFlow found no GPU and would compute on the CPU",
    advice: () => ["rag-master doctor shows TensorFlow's own reason", ...driver, ...buildGpu],
  },
];

/** Says what a failure means and which commands help, by the texts that Node.js, TensorFlow and CUDA are known to write. */
export function diagnose(trouble: Trouble, name: DiagnosedName): Diagnosis {
  const { message = "", code = "", stderr = "" } = trouble;
  const text = `${message}\n${code}\n${stderr}`;
  for (const { seen, cause, advice } of rules) {
    const found = seen.exec(text);
    if (found) return { cause: typeof cause === "string" ? cause : cause(found), advice: [...advice(name)] };
  }
  const line = `${message}\n${stderr}`.split("\n").find((part) => part.trim() !== "");
  return { cause: line?.trim() ?? (code || "it gave no reason"), advice: [] };
}

/** What `diagnose` needs of something that was thrown; causes count too. */
export function troubleOf(error: unknown, stderr?: string): Trouble {
  const messages: string[] = [];
  let code: string | undefined;
  for (let e: unknown = error, depth = 0; e !== undefined && depth < 5; depth++) {
    messages.push(e instanceof Error ? e.message : String(e));
    const known = e as { code?: unknown; cause?: unknown } | null;
    if (typeof known?.code === "string") code ??= known.code;
    e = known?.cause;
  }
  return { message: messages.join("\n"), code, stderr };
}
