import { describe, expect, it } from "vitest";
import type { EngineChoice } from "./engine.ts";
import type { Ended, Run } from "./engine-install/run-program.ts";
import { type EngineFinding, examineEngines } from "./examine-engines.ts";

const ended = (changes: Partial<Ended>): Ended => ({ code: 0, stdout: "", stderr: "", ...changes });

/** What is found when the engine's process ends like this. */
async function find(engine: EngineChoice, run: Run | Partial<Ended>, timeoutMs = 60_000): Promise<EngineFinding> {
  const program: Run = typeof run === "function" ? run : async () => ended(run);
  for await (const finding of examineEngines({ engines: [engine], cache: "cache", timeoutMs, run: program })) {
    return finding;
  }
  return expect.fail("nothing was found");
}

describe("examineEngines", () => {
  it("tries each engine in a process of its own, one after the other, with the cache of engine install", async () => {
    const asked: (readonly string[])[] = [];
    const run: Run = async (_, args) => {
      asked.push(args.slice(-2));
      return ended({ stdout: JSON.stringify({ details: "x", passageMs: 12.3456, estimated: false }) });
    };
    const found: EngineFinding[] = [];
    for await (const finding of examineEngines({ engines: ["compiled", "wasm"], cache: "cache", run })) {
      found.push(finding);
    }
    expect(asked).toEqual([
      ["compiled", "cache"],
      ["wasm", "cache"],
    ]);
    expect(found[0]).toEqual({
      engine: "compiled",
      works: true,
      details: "x",
      passageMs: 12.3,
      estimated: false,
      reason: null,
      advice: [],
    });
  });

  it("gives the cause and the commands that the engine itself knows", async () => {
    const failure = "engine tfjs-node: loadBackend: tfjs-node cannot be used: it is not installed\nnpm install x\nmake";
    expect(await find("tfjs-node", { stdout: JSON.stringify({ failure }) })).toMatchObject({
      works: false,
      passageMs: null,
      reason: "it is not installed",
      advice: ["npm install x", "make"],
    });
  });

  it("prefers the reason that a native library wrote", async () => {
    const failure = "loadBackend: tfjs-node-gpu cannot be used: TensorFlow found no GPU\nlook for one";
    const stderr =
      "2026 E cuda_driver.cc:1] failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: (303)\n";
    const { reason, advice } = await find("tfjs-node-gpu", { stdout: JSON.stringify({ failure }), stderr });
    expect(reason).toMatch(/no NVIDIA driver/);
    expect(advice.join()).toMatch(/nvidia-smi/);
  });

  it("outlives an engine that ends its process, and says how it ended", async () => {
    const crashed = await find("tfjs-node", { code: null, stderr: "terminate called after throwing" });
    expect(crashed).toMatchObject({
      works: false,
      reason: "its process ended (by a signal): terminate called after throwing",
    });
    const exited = await find("wasm", { code: 7, stderr: "Cannot find package '@tensorflow/tfjs-backend-wasm'" });
    expect(exited.reason).toMatch(/exit code 7.*is not installed/);
    expect(exited.advice).toEqual(["npm install @tensorflow/tfjs-backend-wasm@4.22.0"]);
  });

  it("waits for an engine only so long", async () => {
    const never: Run = (_, __, { signal } = {}) =>
      new Promise((resolve) => signal!.addEventListener("abort", () => resolve(ended({ code: null }))));
    expect(await find("cpu", never, 20)).toMatchObject({ works: false, reason: "it was not done after 0.02 seconds" });
  });

  it("stops when it is told to", async () => {
    const stop = new AbortController();
    const run: Run = async () => {
      stop.abort();
      return ended({ code: null });
    };
    const all = examineEngines({ cache: "cache", engines: ["cpu", "wasm"], signal: stop.signal, run });
    await expect(all.next()).rejects.toThrow(/abort/);
  });
});
