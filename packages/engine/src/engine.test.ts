import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Worker } from "node:worker_threads";
import { ClaraError } from "@clara/core";
import { tf } from "@clara/tensor";
import { afterEach, describe, expect, it } from "vitest";
import { createEngine, type Engine, type EngineOptions } from "./engine.ts";
import type { HostTensors } from "./protocol.ts";

const opened: Engine[] = [];
async function open(options: EngineOptions): Promise<Engine> {
  const engine = await createEngine({ threads: 1, ...options });
  opened.push(engine);
  return engine;
}
afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.dispose();
});

/** The worker thread that `start` starts: Node.js tells of each. */
async function workerOf<T>(start: () => Promise<T>): Promise<[T, Worker]> {
  let worker: Worker | undefined;
  const see = (started: Worker): void => {
    worker = started;
  };
  process.once("worker", see);
  const result = await start();
  process.off("worker", see);
  return [result, worker!];
}

const specs = { x: { shape: ["N"] } };
const x = (...numbers: number[]): HostTensors => ({ x: { data: Float32Array.from(numbers), shape: [numbers.length] } });
const double = ({ x }: Record<string, tf.Tensor>): tf.Tensor => tf.add(x!, x!);

/** Some tenths of a second of work for one row: a square matrix, multiplied by itself again and again. */
const longWork = ({ x }: Record<string, tf.Tensor>): tf.Tensor => {
  const n = x!.shape[0]!;
  let product: tf.Tensor = tf.mul(tf.ones([n, n]), tf.reshape(x!, [1, n]));
  for (let i = 0; i < 40; i++) product = tf.div(tf.matMul(product as tf.Tensor2D, product as tf.Tensor2D), n);
  return tf.sum(product);
};
const long: HostTensors = { x: { data: new Float32Array(640).fill(1), shape: [640] } };

describe("createEngine", () => {
  it("starts the engine that is named", async () => {
    const engine = await open({ prefer: "compiled" });
    expect([engine.name, engine.passedOver]).toEqual(["compiled", []]);
    expect(engine.details).toMatch(/^ONNX Runtime 1\.30\.\d on cpu, 1 threads$/);
  });

  it("compiles when nothing is asked for", async () => {
    expect(await open({})).toMatchObject({ name: "compiled", passedOver: [] });
  });

  it("takes the first of a list that starts, and tells which did not and why", async () => {
    const missing = { packageFolder: "/nowhere", addon: "/nowhere/tfjs_binding.node" };
    const engine = await open({ prefer: ["tfjs-node", "cpu"], ...missing });
    expect(engine).toMatchObject({
      name: "cpu",
      details: expect.stringMatching(/cpu/),
      passedOver: [{ name: "tfjs-node" }],
    });
    expect(engine.passedOver[0]!.reason).toMatch(/tfjs-node cannot be used/);
  });

  it("never takes another than the one that is named", async () => {
    const missing = { packageFolder: "/nowhere", addon: "/nowhere/tfjs_binding.node" };
    await expect(open({ prefer: "tfjs-node-gpu", ...missing })).rejects.toMatchObject({
      code: "engine",
      message: expect.stringMatching(/^engine tfjs-node-gpu: loadBackend: tfjs-node-gpu cannot be used: /),
    });
  });

  it("computes on CUDA, or says why not and what helps", async () => {
    const result = await open({ prefer: "compiled", provider: "cuda" }).catch((error: unknown) => error);
    if (result instanceof ClaraError) {
      expect(result.code).toBe("engine");
      expect(result.message).toMatch(/^engine compiled: the provider cuda cannot be used: .+\nrag-master /);
    } else expect((result as Engine).details).toMatch(/ on cuda/);
  });

  it("refuses settings that cannot be", async () => {
    for (const [options, reason] of [
      [{ prefer: "gpu" }, /prefer must be among auto, compiled, .* got gpu/],
      [{ prefer: ["cpu", "tpu"] }, /got tpu/],
      [{ prefer: [] }, /at least one engine/],
      [{ threads: 0 }, /threads must be an integer of at least 1, got 0/],
      [{ threads: 1.5 }, /got 1\.5/],
      [{ provider: "tpu" }, /provider must be cpu or cuda, got tpu/],
    ] as const) {
      const error = await open(options as EngineOptions).catch((error: unknown) => error);
      expect(error).toMatchObject({ code: "option", message: expect.stringMatching(reason) });
    }
  });

  it("keeps no process alive", () => {
    const code = `
      const { createEngine } = await import(${JSON.stringify(new URL("./index.ts", import.meta.url).href)});
      const engine = await createEngine({ prefer: "compiled" });
      console.log(engine.name);`;
    const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "--eval", code], {
      encoding: "utf8",
      timeout: 60_000,
    });
    expect({ stdout, stderr, status }).toEqual({ stdout: "compiled\n", stderr: "", status: 0 });
  });

  it("lets the process exit in the middle of a run", () => {
    // The first answer comes when the second run is about to start: from then on a run is under way for seconds.
    const code = `
      const { createEngine } = await import(${JSON.stringify(new URL("./index.ts", import.meta.url).href)});
      const { tf } = await import("@clara/tensor");
      const engine = await createEngine({ prefer: "compiled", threads: 1 });
      const powers = ({ x }) => {
        let product = tf.outerProduct(x, x);
        for (let i = 0; i < 40; i++) product = tf.div(tf.matMul(product, product), x.shape[0]);
        return tf.sum(product);
      };
      const work = await engine.compile(powers, { x: { shape: ["N"] } });
      const row = (n) => ({ x: { data: new Float32Array(n).fill(1), shape: [n] } });
      const first = work.run(row(1));
      for (let i = 0; i < 4; i++) work.run(row(640));
      await first;
      setTimeout(() => process.exit(3), 50);`;
    const { stdout, stderr, status, signal } = spawnSync(process.execPath, ["--input-type=module", "--eval", code], {
      cwd: fileURLToPath(new URL(".", import.meta.url)),
      encoding: "utf8",
      timeout: 60_000,
    });
    expect({ stdout, stderr, status, signal }).toEqual({ stdout: "", stderr: "", status: 3, signal: null });
  });
});

describe("an engine", () => {
  it("works beside another", async () => {
    const [one, two] = [await open({ prefer: "compiled" }), await open({ prefer: "compiled" })];
    const [w, v] = [await one.params({ w: x(2).x! }), await two.params({ w: x(5).x! })];
    const scale = (inputs: Record<string, tf.Tensor>, params: Record<string, tf.Tensor>): tf.Tensor =>
      tf.mul(inputs.x!, params.w!);
    const first = await one.compile(scale, specs, { params: w });
    const second = await two.compile(scale, specs, { params: v });
    const results = await Promise.all([first.run(x(1, 2)), second.run(x(1, 2)), first.run(x(3))]);
    expect(results.map(({ output }) => [...output!.data])).toEqual([[2, 4], [5, 10], [6]]);
    // What one has given is unknown to the other, not something else of the same number.
    await expect(two.compile(scale, specs, { params: w })).rejects.toMatchObject({
      code: "engine",
      message: expect.stringContaining("belongs to another engine"),
    });
    await one.dispose();
    expect((await second.run(x(4))).output!.data).toEqual(Float32Array.of(20));
  });

  it("leaves the main thread free during a long run", async () => {
    const engine = await open({ prefer: "compiled" });
    const work = await engine.compile(longWork, specs);
    const ticksOf = async (size: number): Promise<{ ticks: number; took: number }> => {
      let ticks = 0;
      const timer = setInterval(() => ticks++, 5);
      const started = performance.now();
      await work.run({ x: { data: new Float32Array(size).fill(1), shape: [size] } });
      clearInterval(timer);
      return { ticks, took: performance.now() - started };
    };
    // As much work as takes this machine long enough.
    let size = 512;
    let seen = await ticksOf(size);
    while (seen.took < 300) {
      size = Math.ceil(size * 1.3);
      seen = await ticksOf(size);
    }
    expect(seen.ticks).toBeGreaterThanOrEqual(5);
  });

  it("rejects what runs and what waits when its worker is killed, and whatever comes later", async () => {
    // The engine that is JavaScript alone: a thread that is ended inside ONNX Runtime's addon can take the process along.
    const [engine, worker] = await workerOf(() => open({ prefer: "cpu" }));
    const work = await engine.compile(longWork, specs);
    const unfinished = [work.run(long), work.run(long), engine.params({ w: x(1).x! })];
    const errors = Promise.all(unfinished.map((promise) => promise.catch((error: unknown) => error)));
    await worker.terminate();
    for (const error of await errors) {
      expect(error).toMatchObject({
        name: "ClaraError",
        code: "engine",
        message: "engine cpu: the worker has ended (exit code 1); create it again",
      });
    }
    await expect(work.run(x(1))).rejects.toMatchObject({
      code: "engine",
      message: expect.stringMatching(/the worker has ended/),
    });
    await expect(engine.compile(double, specs)).rejects.toMatchObject({ code: "engine" });
    await engine.dispose();
  });

  it("rejects what is unfinished when it is disposed, and ends", async () => {
    const [engine, worker] = await workerOf(() => open({ prefer: "compiled" }));
    const ended = new Promise((resolve) => worker.on("exit", resolve));
    const work = await engine.compile(longWork, specs);
    const unfinished = [work.run(long), work.run(long)].map((run) => run.catch((error: unknown) => error));
    const disposed = engine.dispose();
    for (const error of await Promise.all(unfinished)) {
      expect(error).toMatchObject({ code: "engine", message: expect.stringContaining("has been disposed") });
    }
    await disposed;
    expect(await ended).toBe(0);
    await engine.dispose();
    await expect(work.run(x(1))).rejects.toMatchObject({ code: "engine" });
    await expect(engine.params({ w: x(1).x! })).rejects.toMatchObject({ code: "engine" });
  });

  it("stops waiting as soon as a signal fires", async () => {
    const engine = await open({ prefer: "compiled" });
    const work = await engine.compile(longWork, specs);
    const before = AbortSignal.abort("early");
    await expect(work.run(long, { signal: before })).rejects.toMatchObject({ code: "aborted", cause: "early" });

    const [running, queued] = [new AbortController(), new AbortController()];
    const first = work.run(long, { signal: running.signal });
    const second = work.run(long, { signal: queued.signal });
    const third = work.run(x(1));
    queued.abort("queued");
    await expect(second).rejects.toMatchObject({ code: "aborted", cause: "queued" });
    running.abort("running");
    await expect(first).rejects.toMatchObject({ code: "aborted", cause: "running" });
    expect((await third).output!.data).toEqual(Float32Array.of(1));
    // A signal that fires afterwards changes nothing.
    const late = new AbortController();
    const done = work.run(x(1), { signal: late.signal });
    expect((await done).output!.shape).toEqual([]);
    late.abort();
  });

  it("says what to do when ONNX Runtime is not installed", () => {
    // Module resolution that knows no such package, in a process of its own: its workers take over its flags.
    const folder = mkdtempSync(join(tmpdir(), "clara-engine-"));
    const file = (name: string, code: string): string => {
      writeFileSync(join(folder, name), code);
      return join(folder, name);
    };
    file(
      "hooks.mjs",
      `export async function resolve(name, context, next) {
        if (name !== "onnxruntime-node") return next(name, context);
        throw Object.assign(new Error("Cannot find package 'onnxruntime-node'"), { code: "ERR_MODULE_NOT_FOUND" });
      }`,
    );
    const setup = file(
      "setup.mjs",
      `import { register } from "node:module"; register("./hooks.mjs", import.meta.url);`,
    );
    const script = file(
      "script.mjs",
      `import { createEngine } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
      const { code, message } = await createEngine({ prefer: "compiled" }).catch((error) => error);
      console.log(JSON.stringify({ code, message }));`,
    );
    const { stdout, stderr } = spawnSync(process.execPath, ["--import", setup, script], {
      encoding: "utf8",
      timeout: 60_000,
    });
    rmSync(folder, { recursive: true });
    expect(stderr).toBe("");
    const { code, message } = JSON.parse(stdout);
    expect(code).toBe("engine");
    expect(message).toMatch(/^engine compiled: onnxruntime-node cannot load on .*Cannot find package.*; install/);
  });
});
