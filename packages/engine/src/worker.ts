/**
 * The engine's worker thread: it owns the sessions, the parameters and the optimizers, because running a program is
 * synchronous and would stop the main thread's event loop.
 *
 * Nothing that may be missing is imported before the first request, so that a failure to load can be reported.
 */
import { parentPort } from "node:worker_threads";
import { ClaraError } from "@clara/core";
import type { Reply, Request, RequestKind, Requests } from "./protocol.ts";
import type { Call } from "./worker/decoder.ts";
import { handlers } from "./worker/handlers.ts";

const port = parentPort!;

function answer(reply: Reply, transfer: ArrayBuffer[] = []): void {
  port.postMessage(reply, transfer);
}

async function handle<K extends RequestKind>(request: Request<K>): Promise<void> {
  try {
    const handler = handlers[request.kind as K] as (
      ask: Requests[K]["ask"],
      call: Call,
    ) => Promise<Requests[K]["answer"]>;
    const value = await handler(request, { part: (part) => answer({ part }), signal: current.signal });
    answer({ value }, buffersOf(value));
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    answer({ failure, ...(error instanceof ClaraError && { code: error.code }) });
  }
}

/** Arrays that the worker needs no more are moved, not copied: those that fill their buffer. */
function buffersOf(value: unknown): ArrayBuffer[] {
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteLength } = value;
    return byteLength === buffer.byteLength && buffer instanceof ArrayBuffer ? [buffer] : [];
  }
  if (typeof value !== "object" || value === null) return [];
  return [...new Set(Object.values(value).flatMap(buffersOf))];
}

/** Of the request that runs, or ran last: one is answered before the next is sent. */
let current = new AbortController();
let running: Promise<void> = Promise.resolve();

port.on("message", async (request: Request | "abort" | "close") => {
  if (typeof request === "object") {
    current = new AbortController();
    running = handle(request);
    return;
  }
  current.abort();
  if (request === "abort") return;
  await running; // sessions must not be released under it
  await handlers.close();
  port.close(); // nothing is left to wait for: the thread ends
});
