import { afterAll, describe, expect, it } from "vitest";
import { createEngine, type Engine, type EngineOptions } from "./engine.ts";
import { expectParity, parityCases } from "./parity.testing.ts";
import { expectTrainingParity } from "./parity-training.testing.ts";

const { CLARA_TFJS_ADDON: addon, CLARA_TFJS_NODE: packageFolder, CLARA_TFJS_WASM: wasmFolder } = process.env;
const built = { ...(addon && { addon }), ...(packageFolder && { packageFolder }) };

/** A GPU rounds the factors of a product to 10 bits (TF32), unless it is told not to. */
const onGpu = 5e-3;
const engines: readonly { title: string; options: EngineOptions; tolerance: number }[] = [
  { title: "compiled", options: { prefer: "compiled" }, tolerance: 1e-5 },
  { title: "compiled on CUDA", options: { prefer: "compiled", provider: "cuda" }, tolerance: onGpu },
  { title: "tfjs-node-gpu", options: { prefer: "tfjs-node-gpu", ...built }, tolerance: onGpu },
  { title: "tfjs-node", options: { prefer: "tfjs-node", ...built }, tolerance: 1e-5 },
  { title: "wasm", options: { prefer: "wasm", ...(wasmFolder && { packageFolder: wasmFolder }) }, tolerance: 1e-5 },
  { title: "cpu", options: { prefer: "cpu" }, tolerance: 1e-6 },
];

const opened: Engine[] = [];
afterAll(async () => {
  for (const engine of opened) await engine.dispose();
});

/** The engine, or why this machine has none. */
async function open(options: EngineOptions): Promise<Engine | string> {
  try {
    const engine = await createEngine({ threads: 1, ...options });
    opened.push(engine);
    return engine;
  } catch (error) {
    const [reason] = (error as Error).message.split("\n");
    return reason!.replace(/^engine [\w-]+: (loadBackend: )?/, "");
  }
}

for (const { title, options, tolerance } of engines) {
  const engine = await open(options);
  if (typeof engine === "string") {
    // A machine without it shows in the report by name, and why.
    it.skip(`${title}: skipped here: ${engine}`, () => {});
    continue;
  }
  describe(`${title} agrees with TensorFlow.js on the CPU (within ${tolerance})`, () => {
    it.each(parityCases)("in $title", async (parity) => {
      await expectParity(engine, parity, tolerance);
    });

    it("in training adapters, step by step", async () => {
      await expectTrainingParity(engine, 10 * tolerance);
    });

    it("and says what it is", () => {
      expect(engine.name).toBe(options.prefer);
      expect(engine.details).not.toBe("");
      expect(engine.passedOver).toEqual([]);
    });
  });
}
