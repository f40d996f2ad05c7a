import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { arch, platform } from "node:os";
import { basename, join, resolve } from "node:path";
import { ClaraError, throwIfAborted } from "@clara/core";
import { type Run, runProgram } from "./run-program.ts";
import { tryTfjsNode } from "./try-tfjs-node.ts";
import { openWheel, requirePlatform, type Wheel } from "./wheel.ts";

export type TfjsNodeEngine = "tfjs-node" | "tfjs-node-gpu";

export interface InstallTfjsNodeOptions {
  /** @default "tfjs-node" */
  readonly engine?: TfjsNodeEngine;
  /** Wheel files: one of TensorFlow, and for a GPU those of NVIDIA's libraries. */
  readonly wheels: readonly string[];
  /** Folder of `@tensorflow/tfjs-node` or `@tensorflow/tfjs-node-gpu` 4.22.0: their sources are the same. */
  readonly addonPackage: string;
  /** Folder of `node-api-headers`. */
  readonly headers: string;
  /** Below it the library gets a folder of its own. */
  readonly cache: string;
  readonly run?: Run;
  readonly signal?: AbortSignal | undefined;
  /** Called with what is done next. */
  readonly onStep?: (text: string) => void;
  /** @default this machine */
  readonly machine?: { readonly platform: string; readonly arch: string };
}

export interface InstalledTfjsNode {
  readonly engine: TfjsNodeEngine;
  readonly folder: string;
  readonly addon: string;
  readonly packageFolder: string;
  /** Version of the TensorFlow library. */
  readonly tensorflow: string;
  /** Whether TensorFlow computed on a GPU here. */
  readonly gpu: boolean;
  /** What TensorFlow wrote when it was tried. */
  readonly stderr: string;
  /** True when it was there already and still works. */
  readonly reused: boolean;
}

/** TensorFlow.js reaches into its back ends' private parts: all of one version. */
export const tfjsNodeVersion = "4.22.0";
/** Older wheels have no library in one piece; a new major version may change the C interface. */
const oldest = [2, 12];

const libraries = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"];
/** What the addon's two files include, by any of the places it had from 2.12 on. */
const headerFiles = /^tensorflow\/include\/(tensorflow\/(c|core\/platform)|(xla\/)?tsl\/(c|platform))\//;

/**
 * Builds tfjs-node's addon against the TensorFlow library of a PyPI wheel, into `<cache>/libtensorflow-<version>`
 * (`…-gpu` for a GPU), and tries it in a process of its own. Nothing is downloaded and nothing written elsewhere; the
 * folder appears whole or not at all.
 *
 * @throws ClaraError "input" when a wheel is the wrong one, "engine" when something that is needed is missing, does not
 *   compile or does not work, "unsupported" on other systems than Linux, "aborted".
 */
export async function installTfjsNode(options: InstallTfjsNodeOptions): Promise<InstalledTfjsNode> {
  const { engine = "tfjs-node", wheels, addonPackage, headers, cache } = options;
  const { run = runProgram, signal, onStep = () => {}, machine = { platform: platform(), arch: arch() } } = options;
  if (machine.platform !== "linux") {
    throw new ClaraError(
      "unsupported",
      `engine install ${engine}: builds on Linux only, and this is ${machine.platform}; there npm install @tensorflow/${engine}@${tfjsNodeVersion} downloads a built one`,
    );
  }
  const opened: Wheel[] = [];
  try {
    for (const path of wheels) opened.push(await openWheel(path));
    for (const wheel of opened) requirePlatform(wheel, machine);
    const tensorflow = theTensorflow(opened, engine, machine.arch);
    const packageFolder = await checkPackage(addonPackage, headers);
    const name = `libtensorflow-${tensorflow.version}${engine === "tfjs-node-gpu" ? "-gpu" : ""}`;
    const folder = join(resolve(cache), name);
    const known = { engine, folder, packageFolder, tensorflow: tensorflow.version };
    // What only the user's wheels can tell apart: the same set again needs no second build.
    const from = opened.map((wheel) => `${wheel.name} ${wheel.version}`).sort();
    const note = { engine, tensorflow: tensorflow.version, addon: addonIn("."), packageFolder, from };
    if (await isInstalled(folder, note)) {
      onStep("trying what is there already");
      const tried = await tryTfjsNode({ packageFolder, addon: addonIn(folder) }, { run, signal });
      if (tried.ok) return { ...known, addon: addonIn(folder), ...seen(tried), reused: true };
    }
    await checkCompiler(run, signal);

    await removeLeftovers(cache);
    const building = `${folder}.building-${process.pid}`;
    try {
      onStep(`unpacking ${tensorflow.name} ${tensorflow.version}`);
      await unpack(tensorflow, building, signal);
      for (const wheel of opened) {
        if (wheel === tensorflow) continue;
        onStep(`unpacking ${wheel.name} ${wheel.version}`);
        await unpackNvidia(wheel, building, signal);
      }
      onStep("compiling the addon");
      await compile(building, packageFolder, headers, run, signal);
      await rm(join(building, "include"), { recursive: true });
      // A third smaller. Where there is no strip, it works as well.
      await run("strip", ["--strip-unneeded", ...libraries.map((library) => join(building, "lib", library))]);
      onStep("trying it");
      const tried = await tryTfjsNode({ packageFolder, addon: addonIn(building) }, { run, signal });
      throwIfAborted(signal, `engine install ${engine}`);
      if (!tried.ok) throw doesNotWork(engine, tried.stderr);
      await writeFile(join(building, "install.json"), `${JSON.stringify(note, null, 2)}\n`);
      await rm(folder, { recursive: true, force: true });
      await rename(building, folder);
      return { ...known, addon: addonIn(folder), ...seen(tried), reused: false };
    } finally {
      await rm(building, { recursive: true, force: true });
    }
  } catch (error) {
    throwIfAborted(signal, `engine install ${engine}`);
    if (error instanceof ClaraError) throw error;
    throw new ClaraError("io", `engine install ${engine}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  } finally {
    for (const { zip } of opened) await zip.close();
  }
}

function addonIn(folder: string): string {
  return join(folder, "addon", "napi-v8", "tfjs_binding.node");
}

function seen({ gpu = false, stderr }: { gpu?: boolean; stderr: string }): { gpu: boolean; stderr: string } {
  return { gpu, stderr };
}

/** The one wheel of TensorFlow, of the right kind. */
function theTensorflow(wheels: readonly Wheel[], engine: TfjsNodeEngine, arch: string): Wheel {
  const found = wheels.filter(({ name }) => /^tensorflow(-|$)/.test(name));
  const wanted = engine === "tfjs-node-gpu" ? "tensorflow" : "tensorflow-cpu";
  const what = `engine install ${engine}: needs one wheel of ${wanted}`;
  const [wheel, second] = found;
  if (!wheel || second) {
    const got = wheels.map(({ name, version }) => `${name} ${version}`).join(", ") || "none";
    throw new ClaraError("input", `${what}, got ${got}`);
  }
  // PyPI has no CPU-only build for arm64: its only one has no CUDA in it.
  const right = wheel.name === wanted || (arch === "arm64" && engine === "tfjs-node" && wheel.name === "tensorflow");
  if (!right) throw new ClaraError("input", `${what}, and ${wheel.path} is ${wheel.name}`);
  const [major = 0, minor = 0] = wheel.version.split(".").map(Number);
  if (major !== oldest[0] || minor < oldest[1]!) {
    throw new ClaraError("input", `${what} from ${oldest.join(".")} on and below 3, got ${wheel.version}`);
  }
  for (const library of libraries) {
    if (!wheel.zip.entries.some(({ name }) => name === `tensorflow/${library}`)) {
      throw new ClaraError("input", `${wheel.path}: has no ${library}; take ${wanted} 2.18.1`);
    }
  }
  const stranger = wheels.find(({ name }) => name !== wheel.name && !name.startsWith("nvidia-"));
  if (stranger) throw new ClaraError("input", `${stranger.path}: is neither TensorFlow nor a library of NVIDIA's`);
  return wheel;
}

async function checkPackage(addonPackage: string, headers: string): Promise<string> {
  const folder = resolve(addonPackage);
  const get = `npm install --ignore-scripts @tensorflow/tfjs-node@${tfjsNodeVersion} node-api-headers@1.9.0`;
  let manifest: { name?: string; version?: string } = {};
  try {
    manifest = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  } catch {}
  const { name, version } = manifest;
  if (!/^@tensorflow\/tfjs-node(-gpu)?$/.test(name ?? "") || version !== tfjsNodeVersion) {
    const got = name === undefined ? "no package" : `${name} ${version}`;
    throw new ClaraError(
      "engine",
      `${folder}: needs @tensorflow/tfjs-node ${tfjsNodeVersion}, got ${got}; run\n${get}`,
    );
  }
  for (const [what, file] of [
    ["the addon's sources", join(folder, "binding", "tfjs_binding.cc")],
    ["the headers of Node-API", join(headers, "include", "node_api.h")],
  ] as const) {
    if (!existsSync(file)) throw new ClaraError("engine", `${file}: needs ${what}, which are not there; run\n${get}`);
  }
  return folder;
}

async function checkCompiler(run: Run, signal: AbortSignal | undefined): Promise<void> {
  const { code } = await run("g++", ["--version"], signal ? { signal } : {});
  if (code !== 0) {
    throw new ClaraError(
      "engine",
      "engine install: needs the compiler g++, which does not run here; install it (Debian, Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++)",
    );
  }
}

async function isInstalled(folder: string, note: object): Promise<boolean> {
  try {
    const found = await readFile(join(folder, "install.json"), "utf8");
    return JSON.stringify(JSON.parse(found)) === JSON.stringify(note);
  } catch {
    return false;
  }
}

/** What processes left that were killed while they built: hundreds of megabytes each. */
async function removeLeftovers(cache: string): Promise<void> {
  for (const name of await readdir(cache).catch(() => [])) {
    const pid = /^libtensorflow-.*\.building-(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) await rm(join(cache, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function unpack({ zip }: Wheel, folder: string, signal: AbortSignal | undefined): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  for (const entry of zip.entries) {
    const { name } = entry;
    if (libraries.some((library) => name === `tensorflow/${library}`)) {
      await zip.extract(entry, join(folder, "lib", name.slice("tensorflow/".length)), signal);
    } else if (headerFiles.test(name) && !name.includes("..")) {
      await zip.extract(entry, join(folder, name.slice("tensorflow/".length)), signal);
    }
  }
}

/** Where TensorFlow's library looks for CUDA: `../nvidia/<part>/lib` for these, and its own folder. */
const searched = /^(cublas|cuda_cupti|cuda_runtime|cudnn|cufft|cusolver|cusparse)$/;

async function unpackNvidia({ zip }: Wheel, folder: string, signal: AbortSignal | undefined): Promise<void> {
  for (const entry of zip.entries) {
    const [, part, kind, file] = /^nvidia\/([\w-]+)\/(lib|bin|nvvm)\/([\w./+-]+)$/.exec(entry.name) ?? [];
    if (part === undefined || file === undefined || entry.name.includes("..")) continue;
    const to = join(folder, entry.name);
    await zip.extract(entry, to, signal);
    if (kind === "bin") await chmod(to, 0o755);
    if (kind === "lib" && /\.so[.\d]*$/.test(file) && !searched.test(part)) {
      await symlink(join("..", entry.name), join(folder, "lib", basename(file)));
    }
  }
}

async function compile(folder: string, packageFolder: string, headers: string, run: Run, signal?: AbortSignal) {
  const addon = addonIn(folder);
  await mkdir(join(addon, ".."), { recursive: true });
  const { code, stderr } = await run(
    "g++",
    [
      ...["-O2", "-std=c++17", "-fPIC", "-shared", "-DNAPI_VERSION=8"],
      ...[`-I${join(headers, "include")}`, `-I${join(folder, "include")}`],
      ...["tfjs_backend.cc", "tfjs_binding.cc"].map((file) => join(packageFolder, "binding", file)),
      ...["-o", addon, `-L${join(folder, "lib")}`, ...libraries.map((library) => `-l:${library}`)],
      // Relative, so that the folder can be moved.
      "-Wl,-rpath,$ORIGIN/../../lib",
    ],
    signal ? { signal } : {},
  );
  throwIfAborted(signal, "engine install");
  if (code !== 0 || !(await stat(addon).catch(() => undefined))) {
    const first = stderr.split("\n").find((line) => /error|undefined reference|cannot find/.test(line)) ?? stderr;
    throw new ClaraError("engine", `engine install: g++ could not build the addon: ${first.trim()}`, { cause: stderr });
  }
}

function doesNotWork(engine: TfjsNodeEngine, stderr: string): ClaraError {
  const reason = stderr.split("\n").find((line) => /error|cannot|not found/i.test(line)) ?? "it gave no reason";
  return new ClaraError("engine", `engine install ${engine}: was built, but does not compute here: ${reason.trim()}`, {
    cause: stderr,
  });
}
