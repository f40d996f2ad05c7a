import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cudaProviderNote, type Diagnosis, diagnose, diagnoseCuda } from "@clara/engine";
import { type EngineChoice, engineChoices } from "./engine.ts";
import { type Run, runProgram } from "./engine-install/run-program.ts";
import type { Measurement } from "./measure-engine.ts";

/** What became of one engine here. */
export interface EngineFinding {
  readonly engine: EngineChoice;
  readonly works: boolean;
  /** Versions and devices; null when it does not work. */
  readonly details: string | null;
  /** Milliseconds for a passage of 256 tokens. */
  readonly passageMs: number | null;
  /** Whether that is six times one layer, because the whole would take too long. */
  readonly estimated: boolean;
  /** Why it does not work. */
  readonly reason: string | null;
  /** What to do about it, in order: commands, or a sentence each. */
  readonly advice: readonly string[];
}

export interface ExamineOptions {
  /** @default all */
  readonly engines?: readonly EngineChoice[];
  /** The folder below which `engine install` has built. */
  readonly cache: string;
  /** Most milliseconds for one engine. @default 10000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Runs a program. @default for real */
  readonly run?: Run;
}

/** Tries each engine in a process of its own, one after the other: what loads and computes is what works. */
export async function* examineEngines(options: ExamineOptions): AsyncGenerator<EngineFinding, void, undefined> {
  const { engines = engineChoices, cache, timeoutMs = 10_000, signal, run = runProgram } = options;
  for (const engine of engines) {
    const cuda = engine === "compiled-cuda" ? await missingForCuda(run) : undefined;
    const found = cuda ?? (await tried(engine, { cache, timeoutMs, signal, run }));
    yield "cause" in found
      ? { engine, ...nothing, reason: found.cause, advice: found.advice }
      : { engine, ...nothing, works: true, ...found, passageMs: Number(found.passageMs.toPrecision(3)) };
  }
}

const nothing = { works: false, details: null, passageMs: null, estimated: false, reason: null, advice: [] } as const;

async function tried(
  engine: EngineChoice,
  { cache, timeoutMs, signal, run }: { cache: string; timeoutMs: number; signal: AbortSignal | undefined; run: Run },
): Promise<Exclude<Measurement, { failure: string }> | Diagnosis> {
  const timeout = AbortSignal.timeout(timeoutMs);
  // From sources the program is TypeScript too; a bundle has it beside the file that this line ends up in.
  const file = import.meta.url.endsWith(".ts") ? "./measure-engine.ts" : "./measure-engine.js";
  const flags = process.execArgv.filter((flag) => flag.startsWith("--conditions="));
  const args = [...flags, fileURLToPath(new URL(file, import.meta.url)), engine, cache];
  const ended = await run(process.execPath, args, { signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
  signal?.throwIfAborted();
  const { code, stdout, stderr } = ended;
  let measurement: Measurement | undefined;
  try {
    measurement = JSON.parse(stdout);
  } catch {}
  if (measurement === undefined) {
    if (timeout.aborted) return { cause: `it was not done after ${timeoutMs / 1000} seconds`, advice: [] };
    const { cause, advice } = diagnose({ stderr }, nameOf(engine));
    return { cause: `its process ended (${code === null ? "by a signal" : `exit code ${code}`}): ${cause}`, advice };
  }
  return "failure" in measurement ? explain(engine, measurement.failure, stderr) : measurement;
}

/** @param failure one line with the cause, and then what to do, a line each, where the engine knows. */
function explain(engine: EngineChoice, failure: string, stderr: string): Diagnosis {
  // What a native library wrote says more than what came of it.
  const native = diagnose({ stderr }, nameOf(engine));
  if (native.advice.length > 0) return native;
  const [first = "", ...advice] = failure.split("\n");
  if (advice.length > 0) return { cause: first.replace(/^.* cannot be used: /, ""), advice };
  return diagnose({ message: failure }, nameOf(engine));
}

function nameOf(engine: EngineChoice): Parameters<typeof diagnose>[1] {
  return engine === "compiled" || engine === "compiled-cuda" ? "ort" : engine;
}

/** What the CUDA provider lacks, as far as files show it; undefined when it must be tried. */
async function missingForCuda(run: Run): Promise<Diagnosis | undefined> {
  const onnxruntime = find("onnxruntime-node", find("@clara/engine", import.meta.dirname));
  if (onnxruntime === undefined) return diagnose({ message: "Cannot find package 'onnxruntime-node'" }, "ort");
  const { version } = JSON.parse(readFileSync(join(onnxruntime, "package.json"), "utf8")) as { version: string };
  const folder = join(onnxruntime, "bin", "napi-v6", process.platform, process.arch);
  const note = join(folder, cudaProviderNote);
  const found = await diagnoseCuda({
    folder,
    version,
    providerVersion: existsSync(note) ? readFileSync(note, "utf8").trim() : undefined,
    exists: existsSync,
    async ldd(path) {
      const { code, stdout } = await run("ldd", [path]);
      return code === 0 ? stdout : undefined;
    },
  });
  return found.ok ? undefined : { cause: found.cause, advice: found.advice };
}

/** The folder of a package as it is found from another folder. */
function find(name: string, from: string | undefined): string | undefined {
  if (from === undefined) return undefined;
  try {
    return dirname(createRequire(join(from, "package.json")).resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
}
