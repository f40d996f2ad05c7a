import { Worker } from "node:worker_threads";
import { ClaraError, throwIfAborted } from "@clara/core";
import { closeExitGuard, openExitGuard } from "./exit-guard.ts";
import type { Reply } from "./protocol.ts";

/** Requests to a worker thread, one at a time. */
export interface Channel {
  /**
   * @param prepare makes the message when its turn has come, so that waiting requests hold no buffers.
   * @param part called with each part of the answer that comes before it, until the signal fires.
   * @throws ClaraError "aborted" as soon as the signal fires (a request that is running is told to stop), "engine" when the worker fails or is gone.
   */
  request(
    prepare: () => { message: unknown; transfer: ArrayBuffer[] },
    signal?: AbortSignal,
    part?: (value: unknown) => void,
  ): Promise<unknown>;
  /** Rejects what is unfinished and waits until the thread has ended. */
  close(): Promise<void>;
}

interface Job {
  readonly prepare: () => { message: unknown; transfer: ArrayBuffer[] };
  resolve(value: unknown): void;
  reject(error: unknown): void;
  part?(value: unknown): void;
  /** Whether its caller has its answer already. */
  settled: boolean;
}

/**
 * Starts a worker that answers each message with one `Reply`, after any number of parts, and ends on "close". "abort" asks it
 * to answer soon: nobody waits for its answer any more.
 * It keeps the process alive only while a request is unfinished.
 *
 * @param where the function named in errors.
 */
export function openChannel(url: URL, where: string): Channel {
  // A worker takes over the process's flags, and cannot start with the one of `node --input-type=module --eval`.
  const evaluated = process.execArgv.some((flag) => flag.startsWith("--input-type"));
  // ONNX Runtime reports home by default from 1.29 on, and reads the command line for it: that is where questions are,
  // and a long one ends the process (its pattern matching runs out of stack). Nothing leaves a machine unasked. It reads
  // the process's own environment, so a worker's copy would not do.
  process.env.ORT_DISABLE_TELEMETRY ??= "1";
  const exitGuard = openExitGuard();
  const worker = new Worker(url, { workerData: { exitGuard }, ...(evaluated && { execArgv: [] }) });
  const waiting: Job[] = [];
  let running: Job | undefined;
  let gone: ClaraError | undefined;
  let ended = false;
  worker.unref();

  const advance = (): void => {
    while (!running && !gone) {
      const next = waiting.shift();
      if (!next) {
        worker.unref();
        return;
      }
      if (next.settled) continue;
      try {
        const { message, transfer } = next.prepare();
        worker.ref();
        worker.postMessage(message, transfer);
        running = next;
      } catch (error) {
        next.reject(error);
      }
    }
  };
  const fail = (error: ClaraError): void => {
    gone ??= error;
    const jobs = running ? [running, ...waiting] : [...waiting];
    running = undefined;
    waiting.length = 0;
    for (const job of jobs) job.reject(gone);
  };

  worker.on("message", (reply: Reply) => {
    const job = running;
    if ("part" in reply) {
      if (!job?.settled) job?.part?.(reply.part);
      return;
    }
    running = undefined;
    if ("value" in reply) job?.resolve(reply.value);
    else job?.reject(new ClaraError(reply.code ?? "engine", `${where}: ${reply.failure}`));
    advance();
  });
  worker.on("error", (cause) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    fail(new ClaraError("engine", `${where}: the worker has failed (${reason}); create it again`, { cause }));
  });
  const exit = new Promise<void>((resolve) => {
    worker.on("exit", (code) => {
      ended = true;
      closeExitGuard(exitGuard);
      fail(new ClaraError("engine", `${where}: the worker has ended (exit code ${code}); create it again`));
      resolve();
    });
  });

  return {
    request(prepare, signal, part) {
      return new Promise((resolve, reject) => {
        throwIfAborted(signal, where);
        if (gone) throw gone;
        const job: Job = {
          prepare,
          settled: false,
          resolve: (value) => settle(() => resolve(value)),
          reject: (error) => settle(() => reject(error)),
          ...(part && { part }),
        };
        const settle = (then: () => void): void => {
          job.settled = true;
          signal?.removeEventListener("abort", stop);
          then();
        };
        const stop = (): void => {
          job.reject(new ClaraError("aborted", `${where}: stopped by the caller`, { cause: signal?.reason }));
          if (running === job) worker.postMessage("abort");
        };
        signal?.addEventListener("abort", stop);
        waiting.push(job);
        advance();
      });
    },
    async close() {
      if (ended) return;
      fail(new ClaraError("engine", `${where}: the engine has been disposed; create another`));
      worker.ref();
      worker.postMessage("close");
      await exit;
    },
  };
}
