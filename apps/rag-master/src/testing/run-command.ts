import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { commandLine } from "../command-line.ts";

export interface Ran {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Where relative paths and `rag_config.yaml` are looked for. */
  readonly cwd: string;
  /** Packs of `--docs`. @default `cwd`/cache */
  readonly cache?: string;
  /** Bash before the command, such as `ulimit -f 1`. */
  readonly before?: string;
  /** Called with all that stderr has said so far, at each piece of it. */
  readonly onStderr?: (stderr: string, kill: (signal: NodeJS.Signals) => void) => void;
  /** Closes the reading end of these at once, as `| head -0` does. */
  readonly closed?: readonly ("stdout" | "stderr")[];
}

export interface HereOptions {
  /** The whole environment: the test's own is not seen. @default {} */
  readonly env?: Readonly<Record<string, string>>;
  /** Ctrl-C. @default never */
  readonly signal?: AbortSignal;
}

const main = fileURLToPath(new URL("../main.ts", import.meta.url));

/** Runs the command line in this process: ten times as quick where the process itself is not what is tested. */
export async function runHere(
  args: readonly string[],
  { cwd, env = {}, signal = new AbortController().signal }: Pick<RunOptions, "cwd"> & HereOptions,
): Promise<Ran> {
  const said = { stdout: "", stderr: "" };
  const into = (name: keyof typeof said) => ({
    write(text: string) {
      said[name] += text;
    },
  });
  const code = await commandLine(args, {
    stdout: into("stdout"),
    stderr: into("stderr"),
    signal,
    cache: `${cwd}/cache`,
    color: false,
    variable: (name) => env[name],
  });
  return { code, ...said };
}

/** The test's own, without what would turn a library's habits off before the program can. */
function environment(): NodeJS.ProcessEnv {
  const { ORT_DISABLE_TELEMETRY: _, XDG_CACHE_HOME: __, ...rest } = process.env;
  return rest;
}

/** Runs the command line as a user would: a process of its own, from the sources. */
export async function runCommand(args: readonly string[], options: RunOptions): Promise<Ran> {
  const { cwd, cache = `${cwd}/cache`, before, onStderr, closed = [] } = options;
  const node = [process.execPath, "--conditions=@clara/source", main, ...args];
  const [program, ...rest] = before === undefined ? node : ["bash", "-c", `${before}; exec "$@"`, "bash", ...node];
  const child = spawn(program!, rest, {
    cwd,
    // What a library writes behind the program's back goes to this home, where a test looks for it.
    env: { ...environment(), HOME: `${cwd}/home`, CLARA_CACHE: cache, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    const stream = child[name];
    stream.setEncoding("utf8");
    if (closed.includes(name)) stream.destroy();
    else
      stream.on("data", (piece: string) => {
        said[name] += piece;
        if (name === "stderr") onStderr?.(said.stderr, (signal) => child.kill(signal));
      });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  return { code, ...said };
}
