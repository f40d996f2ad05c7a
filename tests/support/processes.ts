import { execFile } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "./repository.ts";

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** @default the repository's root */
  readonly cwd?: string;
  /** @default 60 000 */
  readonly timeoutMs?: number;
}

/**
 * Runs a command to its end, however it ends. Its environment lacks vitest's `NODE_OPTIONS`, so that it behaves as on a
 * user's command line; the repository's own tools come first in its path.
 */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { cwd = ROOT, timeoutMs = 60_000 } = options;
  const { NODE_OPTIONS, VITEST, NODE_ENV, ...environment } = process.env;
  const delimiter = process.platform === "win32" ? ";" : ":";
  const env = { ...environment, PATH: `${join(ROOT, "node_modules/.bin")}${delimiter}${process.env.PATH}` };
  // Windows runs npm and pnpm, which are scripts there, through its shell only.
  const shell = process.platform === "win32" && command !== process.execPath;
  return new Promise((resolve) => {
    const all = { cwd, env, shell, timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 };
    execFile(command, [...args], all, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === "number" ? error.code : 1) : 0;
      const killed = error?.killed ? `\nended after ${timeoutMs} ms` : "";
      resolve({ code, stdout, stderr: stderr + killed });
    });
  });
}

/** Applies a function to each value, at most `limit` at a time; results in the values' order. */
export async function mapLimited<T, R>(
  values: readonly T[],
  limit: number,
  apply: (value: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < values.length; i = next++) results[i] = await apply(values[i]!);
  };
  await Promise.all(Array.from({ length: limit }, worker));
  return results;
}
