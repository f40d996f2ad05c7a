import { spawn } from "node:child_process";

export interface Ended {
  /** Null when it could not be started, or when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** ENOENT when there is no such program. */
  readonly error?: string;
}

/** Runs a program to its end, however it ends; never throws. */
export type Run = (program: string, args: readonly string[], options?: { signal?: AbortSignal }) => Promise<Ended>;

export const runProgram: Run = (program, args, { signal } = {}) =>
  new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], ...(signal ? { signal } : {}) });
    const said = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (piece: string) => {
        said[name] += piece;
      });
    }
    child.on("error", (error: NodeJS.ErrnoException) => {
      resolve({ code: null, ...said, error: error.code ?? error.message });
    });
    child.on("close", (code) => resolve({ code, ...said }));
  });
