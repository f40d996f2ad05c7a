/**
 * Owns the ONNX Runtime session: its `run` is synchronous and would stop the main thread's event loop.
 * Nothing but relative files is imported before the first request, so that a failure to load can be reported.
 */
import { parentPort } from "node:worker_threads";
import type { InferenceSession } from "onnxruntime-node";
import { buildGraph } from "./graph.ts";
import type { Reply, Request } from "./protocol.ts";

type Ort = typeof import("onnxruntime-node");
type Run = Extract<Request, { kind: "run" }>;
type Create = Extract<Request, { kind: "create" }>;

const port = parentPort!;
let loaded: { ort: Ort; session: InferenceSession } | undefined;

async function load(): Promise<Ort> {
  try {
    return await import("onnxruntime-node");
  } catch (error) {
    const advice = "install onnxruntime-node again on this machine (it has libraries for Linux, macOS and Windows)";
    throw new Error(`onnxruntime-node cannot load on ${process.platform}-${process.arch}: ${text(error)}; ${advice}`);
  }
}

async function create({ stack, threads }: Create): Promise<void> {
  const ort = await load();
  ort.env.logLevel = "fatal";
  const { model, externalData } = buildGraph(stack);
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ["cpu"],
    externalData: [...externalData],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
    // A pattern is kept for every shape seen; with free lengths they would only pile up.
    enableMemPattern: false,
  });
  loaded = { ort, session };
}

async function run({ words, types, mask, shape }: Run): Promise<Float32Array<ArrayBuffer>> {
  const { ort, session } = loaded!;
  const [B, T, D] = shape;
  // Own memory for the result: that of ONNX Runtime could not be moved to another thread.
  const states = new Float32Array(B * T * D);
  await session.run(
    {
      words: new ort.Tensor("float32", words, shape),
      types: new ort.Tensor("int32", types, [B, T]),
      mask: new ort.Tensor("int32", mask, [B, T]),
    },
    { states: new ort.Tensor("float32", states, shape) },
  );
  return states;
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function reply(message: Reply, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}

port.on("message", async (request: Request | "close") => {
  if (request === "close") {
    await loaded?.session.release();
    port.close(); // nothing is left to wait for: the thread ends
    return;
  }
  try {
    if (request.kind === "create") {
      reply({ value: await create(request) });
    } else {
      const states = await run(request);
      reply({ value: states }, [states.buffer]);
    }
  } catch (error) {
    reply({ failure: text(error) });
  }
});
