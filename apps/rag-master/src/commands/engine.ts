import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { ClaraError } from "@clara/core";
import type { Command } from "commander";
import { installOrtCuda } from "../engine-install/install-ort-cuda.ts";
import { installTfjsNode, type TfjsNodeEngine, tfjsNodeVersion } from "../engine-install/install-tfjs-node.ts";
import type { CommandContext } from "./context.ts";

interface InstallFlags {
  readonly from: readonly string[];
  readonly package?: string;
  readonly json?: boolean;
}

const examples = `
Examples:
  engine install tfjs-node --from tensorflow_cpu-2.18.1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl
  engine install tfjs-node-gpu --from tensorflow-2.18.1-*.whl nvidia_*.whl
  engine install ort-cuda --from onnxruntime_gpu-1.30.0-*.whl`;

export function addEngine(program: Command, context: CommandContext): void {
  const engine = program
    .command("engine")
    .summary("add an engine to this machine")
    .description("Adds engines that an npm install cannot bring; doctor lists those that there are.")
    .addHelpText("after", examples);
  engine
    .command("install")
    .summary("build or place an engine from wheel files")
    .description(
      "Makes an engine of Python wheels that are on this machine (pip download gets them). Nothing is downloaded.",
    )
    .argument("<engine>", "tfjs-node, tfjs-node-gpu or ort-cuda")
    .requiredOption("--from <wheel...>", "the wheel files")
    .option("--package <folder>", "where @tensorflow/tfjs-node or onnxruntime-node is (default: found by itself)")
    .option("--json", "one JSON value on stdout")
    .addHelpText("after", examples)
    .action(async (name: string, flags: InstallFlags) => {
      if (name === "tfjs-node" || name === "tfjs-node-gpu") return installTfjs(name, flags, context);
      if (name === "ort-cuda") return installCuda(flags, context);
      throw new ClaraError(
        "option",
        `engine install: "${name}" is not known; choose tfjs-node, tfjs-node-gpu or ort-cuda`,
      );
    });
}

async function installTfjs(engine: TfjsNodeEngine, flags: InstallFlags, context: CommandContext): Promise<void> {
  const { terminal, cache, signal } = context;
  const home = join(cache, "tfjs-node");
  const places = [process.cwd(), ...(flags.package === undefined ? [] : [flags.package]), home, import.meta.dirname];
  const names = engine === "tfjs-node" ? ["tfjs-node", "tfjs-node-gpu"] : ["tfjs-node-gpu", "tfjs-node"];
  const addonPackage = flags.package ?? names.flatMap((name) => find(`@tensorflow/${name}`, places) ?? [])[0];
  const headers = find("node-api-headers", places);
  if (addonPackage === undefined || headers === undefined) {
    const missing = addonPackage === undefined ? `@tensorflow/tfjs-node ${tfjsNodeVersion}` : "node-api-headers";
    throw new ClaraError(
      "engine",
      `engine install ${engine}: needs the npm package ${missing}, which is not here; this puts it where it is found:\nnpm install --prefix ${home} --ignore-scripts @tensorflow/tfjs-node@${tfjsNodeVersion} node-api-headers@1.9.0`,
    );
  }
  const onStep = (text: string) => terminal.info(text);
  const done = await installTfjsNode({ engine, wheels: flags.from, addonPackage, headers, cache, signal, onStep });
  const { stderr, ...result } = done;
  if (flags.json) terminal.printJson(result);
  else {
    terminal.print(
      `${engine} ${done.reused ? "is there already" : "is built"}: TensorFlow ${done.tensorflow} in ${done.folder}`,
    );
  }
  if (engine === "tfjs-node-gpu" && !done.gpu) {
    terminal.warn(
      `TensorFlow sees no GPU here, so that this engine will refuse to start: ${gpuReason(stderr)}; doctor says what to do`,
    );
  }
}

/** TensorFlow's own words about the GPU, without its time stamp and source line. */
function gpuReason(stderr: string): string {
  const line = stderr.split("\n").find((text) => /cuInit|cuda drivers|GPU libraries|NVIDIA GPU device/i.test(text));
  return line?.replace(/^.*?\] |[.\s]+$/g, "") ?? "it gives no reason";
}

async function installCuda(flags: InstallFlags, { terminal, signal }: CommandContext): Promise<void> {
  const [wheel, second] = flags.from;
  if (wheel === undefined || second !== undefined) {
    throw new ClaraError("option", `engine install ort-cuda: --from needs one wheel, got ${flags.from.length}`);
  }
  const onnxruntime = flags.package ?? findOnnxruntime();
  if (onnxruntime === undefined) {
    throw new ClaraError(
      "engine",
      "engine install ort-cuda: needs the npm package onnxruntime-node, which is not here; run\nONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@1.30.0",
    );
  }
  const { folder, version } = await installOrtCuda({ wheel, onnxruntime, signal });
  if (flags.json) terminal.printJson({ engine: "ort-cuda", folder, version });
  else terminal.print(`the CUDA provider of ONNX Runtime ${version} is in ${folder}; doctor says what it still needs`);
}

/** The folder of a package as it is found from the first of some places. */
function find(name: string, places: readonly string[]): string | undefined {
  for (const place of places) {
    try {
      return dirname(createRequire(join(place, "package.json")).resolve(`${name}/package.json`));
    } catch {}
  }
  return undefined;
}

/** It belongs to the engine package, and some package managers show it to nobody else. */
function findOnnxruntime(): string | undefined {
  const engine = find("@clara/engine", [import.meta.dirname]);
  return engine === undefined ? undefined : find("onnxruntime-node", [engine]);
}
