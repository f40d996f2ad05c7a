import { copyFile, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
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

describe("loadModel", () => {
  it("refuses a truncated weight file, naming it and what to do", async () => {
    const path = join(folder, "truncated.safetensors");
    await copyFile(mini.files.weights, path);
    await truncate(path, mini.bytes.weights - 1);
    await expect(
      loadModel(defaultConfig(), { files: { ...mini.files, weights: pathToFileURL(path) } }),
    ).rejects.toMatchObject({
      code: "weights",
      message: expect.stringMatching(
        /clara model-.*truncated\.safetensors: sha256 is .*, expected .*bytes found.*install @clara\/mini again/,
      ),
    });
  });

  it("refuses an altered tokenizer and a missing file", async () => {
    const path = join(folder, "tokenizer.json");
    await writeFile(path, "{}");
    await expect(
      loadModel(defaultConfig(), { files: { ...mini.files, tokenizer: pathToFileURL(path) } }),
    ).rejects.toMatchObject({ code: "weights", message: expect.stringContaining("(2 bytes found)") });
    const missing = pathToFileURL(join(folder, "missing.safetensors"));
    await expect(loadModel(defaultConfig(), { files: { ...mini.files, weights: missing } })).rejects.toMatchObject({
      code: "weights",
      message: expect.stringContaining("missing.safetensors: cannot be read"),
    });
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
