import { Worker } from "node:worker_threads";
import { tf } from "@clara/tensor";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Reply } from "./protocol.ts";
import { programOf } from "./trace/program-of.ts";

let worker: Worker;
let exited: Promise<number>;
beforeEach(() => {
  worker = new Worker(new URL("./worker.ts", import.meta.url));
  exited = new Promise((resolve) => worker.on("exit", resolve));
});
afterEach(() => worker.terminate());

function ask(message: object): Promise<Reply> {
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.postMessage(message);
  });
}

const floats = (...numbers: number[]) => ({ data: Float32Array.from(numbers), shape: [numbers.length] });

async function load(fn: Parameters<typeof programOf>[0]): Promise<void> {
  const { program } = await programOf(fn, { x: { shape: ["N"] } }, { weights: {}, kernelSet: "fused" });
  await ask({ kind: "open", engine: "compiled", settings: { threads: 1 } });
  await ask({ kind: "load", id: 1, program, params: [], options: { prepack: true } });
}

describe("the worker", () => {
  it("answers with a value or with the reason why there is none, and goes on", async () => {
    expect(await ask({ kind: "params", id: 1, source: { arrays: { w: floats(1, NaN) } }, trainable: false })).toEqual({
      failure: "engine.params: number 1 of w (of 2) is NaN; it must be finite",
      code: "weights",
    });
    expect(await ask({ kind: "params", id: 1, source: { arrays: { w: floats(1, 2) } }, trainable: true })).toEqual({
      value: { w: { shape: [2], dtype: "float32" } },
    });
    expect(await ask({ kind: "read", id: 1 })).toEqual({ value: { w: floats(1, 2) } });
    expect(await ask({ kind: "run", id: 7, inputs: {}, sizes: {} })).toEqual({
      failure: "the compiled function is not in this worker: it has been disposed, or belongs to another engine",
      code: "engine",
    });
    expect(await ask({ kind: "nonsense" })).toMatchObject({ failure: expect.any(String) });
    expect(await ask({ kind: "release", id: 1 })).toEqual({ value: undefined });
    expect(await ask({ kind: "read", id: 1 })).toMatchObject({ code: "engine" });
  });

  it("ends when it is told to, with what it was told before", async () => {
    await load(({ x }) => tf.mul(x!, 2));
    const replies: Reply[] = [];
    worker.on("message", (reply) => replies.push(reply));
    worker.postMessage({ kind: "run", id: 1, inputs: { x: floats(1, 2) }, sizes: { N: 2 } });
    worker.postMessage("close");
    expect(await exited).toBe(0);
    expect(replies).toEqual([{ value: { output: floats(2, 4) } }]);
  });

  it("ends at once when it has done nothing", async () => {
    worker.postMessage("close");
    expect(await exited).toBe(0);
  });
});
