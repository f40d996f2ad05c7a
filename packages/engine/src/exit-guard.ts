/**
 * Keeps `process.exit` from ending a worker inside ONNX Runtime's addon: it throws where JavaScript has ended, and takes the
 * process along ("Aborted", exit code 134). The process waits for the call that runs, and no other begins.
 */
import { workerData } from "node:worker_threads";
import { ClaraError } from "@clara/core";

/** Places in a guard, each 0 or 1. */
const [busy, ending] = [0, 1];

/** One call takes seconds at most; a process that was told to end should, whatever hangs. */
const longestWait = 30_000;

/** Those of the workers that live. */
const guards = new Set<Int32Array>();
let listening = false;

/** A guard for a new worker, which gets it as `workerData.exitGuard`. Its creator gives it back when the worker has ended. */
export function openExitGuard(): Int32Array {
  const guard = new Int32Array(new SharedArrayBuffer(8));
  guards.add(guard);
  if (!listening) process.on("exit", waitForCalls);
  listening = true;
  return guard;
}

export function closeExitGuard(guard: Int32Array): void {
  guards.delete(guard);
}

function waitForCalls(): void {
  for (const guard of guards) Atomics.store(guard, ending, 1);
  for (const guard of guards) Atomics.wait(guard, busy, 1, longestWait);
}

/** In a worker: makes a call into the addon that the process does not end under. Calls do not overlap. */
export async function guarded<T>(call: () => Promise<T>): Promise<T> {
  const guard = (workerData as { exitGuard?: Int32Array } | null)?.exitGuard;
  if (guard === undefined) return call();
  Atomics.store(guard, busy, 1);
  try {
    // Looked at after `busy` is set, as the process looks at `busy` after it has set this.
    if (Atomics.load(guard, ending) === 1) throw new ClaraError("engine", "the process is ending");
    return await call();
  } finally {
    Atomics.store(guard, busy, 0);
    Atomics.notify(guard, busy);
  }
}
