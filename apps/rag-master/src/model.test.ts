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

  it("says what a model needs that is not on this machine", async () => {
    const config = defaultConfig();
    const foreign = { ...config, compression: { ...config.compression, model: "apple/CLaRa-7B-E2E" } };
    await expect(loadModel(foreign)).rejects.toMatchObject({
      code: "config",
      message: expect.stringMatching(/"apple\/CLaRa-7B-E2E" is not on this machine.*@clara\/mini/),
    });
  });

  it("ends its threads, also when nothing was ever read", async () => {
    const model = await loadModel(defaultConfig());
    await model.dispose();
    await expect(model.compressor.query("a question")).rejects.toMatchObject({ code: "engine" });
  });
});
