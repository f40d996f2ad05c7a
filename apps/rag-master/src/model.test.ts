import { cp, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mini } from "@clara/mini";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultConfig } from "./config/index.ts";
import { loadModel } from "./model.ts";

let folder = "";
beforeAll(async () => {
  // A space in the path: messages must show it as people write it.
  folder = await mkdtemp(join(tmpdir(), "clara model-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The embedded model in a folder of its own. */
async function copyOfMini(name: string): Promise<string> {
  const copy = join(folder, name);
  await cp(fileURLToPath(new URL(".", mini.files.config)), copy, { recursive: true });
  return copy;
}

describe("loadModel", () => {
  it("refuses a truncated weight file, naming it and what to do", async () => {
    const embedded = await copyOfMini("truncated");
    await truncate(join(embedded, "mini.safetensors"), mini.bytes.weights - 1);
    await expect(loadModel(defaultConfig(), { embedded })).rejects.toMatchObject({
      code: "weights",
      message: expect.stringMatching(
        /clara model-.*mini\.safetensors: sha256 is .*, expected .*bytes found.*copy the folder again/,
      ),
    });
  });

  it("refuses an altered tokenizer and a missing file", async () => {
    const embedded = await copyOfMini("altered");
    await writeFile(join(embedded, "tokenizer.json"), "{}");
    await expect(loadModel(defaultConfig(), { embedded })).rejects.toMatchObject({
      code: "weights",
      message: expect.stringContaining("(2 bytes found"),
    });
    await rm(join(embedded, "mini.safetensors"));
    await expect(loadModel(defaultConfig(), { embedded })).rejects.toMatchObject({
      code: "weights",
      message: expect.stringContaining("mini.safetensors: no such file"),
    });
  });

  it("loads a model folder by its path, and packs of one fit another with the same compressor", async () => {
    const copy = await copyOfMini("named");
    const settings = defaultConfig();
    const model = await loadModel({ ...settings, compression: { ...settings.compression, model: `${copy}/` } });
    const embedded = await loadModel(settings);
    expect(model.id).toBe(mini.id);
    expect(model.memoryId).toBe(embedded.memoryId);
    await Promise.all([model.dispose(), embedded.dispose()]);
  });

  it("never runs on another engine than the one named", async () => {
    // The packages of tfjs-node are not installed here, or TensorFlow finds no GPU; where it does, the name is right.
    const found = await loadModel(defaultConfig(), { engine: "tfjs-node-gpu" }).then(
      async (model) => {
        await model.dispose();
        return model.engine.name;
      },
      (error: unknown) => error,
    );
    if (found !== "tfjs-node-gpu") {
      expect(found).toMatchObject({ code: "engine", message: expect.stringMatching(/tfjs-node-gpu cannot be used: /) });
    }
  });

  it("says what a model needs that is not on this machine", async () => {
    const config = defaultConfig();
    const foreign = { ...config, compression: { ...config.compression, model: "apple/CLaRa-7B-E2E" } };
    await expect(loadModel(foreign)).rejects.toMatchObject({
      code: "config",
      message: expect.stringMatching(/"apple\/CLaRa-7B-E2E" is not on this machine.*@clara\/mini/),
    });
  });

  it("says what it runs on, and ends its thread, also when nothing was ever read", async () => {
    const model = await loadModel(defaultConfig(), { threads: 1 });
    expect(model.engine).toEqual({
      name: "compiled",
      details: expect.stringMatching(/^ONNX Runtime .*1 thread/),
      passedOver: [],
    });
    await model.dispose();
    await expect(model.compressor.query("a question")).rejects.toMatchObject({ code: "engine" });
  });
});
