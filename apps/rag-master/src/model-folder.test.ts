import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mini } from "@clara/mini";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readModelFolder, writeModelFolder } from "./model-folder.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "clara-model-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const made = { name: "reader", config: { width: 8 }, weights: bytes("weights"), tokenizer: bytes("{}") };
const changeConfig = (change: (config: ReturnType<typeof JSON.parse>) => void): void => {
  const path = join(folder, "config.json");
  const config = JSON.parse(readFileSync(path, "utf8"));
  change(config);
  writeFileSync(path, JSON.stringify(config));
};

describe("a model folder", () => {
  it("comes back as it was written, with an id of its name and its weights", async () => {
    const written = await writeModelFolder(join(folder, "deep/er"), made);
    const read = await readModelFolder(join(folder, "deep/er"));
    expect(read.id).toMatch(/^reader\+[0-9a-f]{12}$/);
    expect(read.config).toMatchObject({
      id: read.id,
      width: 8,
      files: { weights: { name: "reader.safetensors", bytes: 7 } },
    });
    expect([read.id, read.config]).toEqual([written.id, written.config]);
    expect([new Uint8Array(read.weights), new Uint8Array(read.tokenizer)]).toEqual([made.weights, made.tokenizer]);
  });

  it("is what the embedded model's data are", async () => {
    const { id, config, weights } = await readModelFolder(fileURLToPath(new URL(".", mini.files.config)));
    expect(id).toBe(mini.id);
    expect(config).toMatchObject(mini.config);
    expect(weights.length).toBe(mini.bytes.weights);
  });

  it("makes id and files anew, whatever config it is given", async () => {
    const config = { id: "old", files: { weights: { name: "gone" } }, width: 8 };
    const { id } = await writeModelFolder(folder, { ...made, config });
    expect((await readModelFolder(folder)).id).toBe(id);
    expect(id).not.toBe("old");
  });

  it("is replaced in one step: the old weights stay until config.json names the new", async () => {
    writeFileSync(join(folder, "notes.txt"), "mine");
    await writeModelFolder(folder, made);
    for (const weights of [bytes("second"), bytes("third")]) {
      const { id } = await writeModelFolder(folder, { ...made, weights });
      expect((await readModelFolder(folder)).id).toBe(id);
      expect((await readdir(folder)).length).toBe(4);
    }
    expect(existsSync(join(folder, "notes.txt"))).toBe(true);
    // As if the power had gone before config.json was written: the model is still the one it names.
    await writeModelFolder(folder, made);
    const before = (await readModelFolder(folder)).id;
    writeFileSync(join(folder, "reader-00000000.safetensors"), "half");
    expect((await readModelFolder(folder)).id).toBe(before);
  });

  it("stays whole when it is written again as it is", async () => {
    const first = await writeModelFolder(folder, made);
    const second = await writeModelFolder(folder, made);
    const third = await writeModelFolder(folder, made);
    expect([second.id, third.id]).toEqual([first.id, first.id]);
    expect((await readModelFolder(folder)).id).toBe(first.id);
  });

  it("that is damaged or incomplete is refused, by file", async () => {
    const refused = (message: RegExp) =>
      expect(readModelFolder(folder)).rejects.toMatchObject({
        code: "weights",
        message: expect.stringMatching(message),
      });
    await refused(/config\.json: no such file; a model folder has a config\.json/);
    writeFileSync(join(folder, "config.json"), "{");
    await refused(/config\.json: is not JSON/);
    writeFileSync(join(folder, "config.json"), "[]");
    await refused(/config\.json: must be a JSON object/);
    writeFileSync(join(folder, "config.json"), '{"hidden_size":384}');
    await refused(/config\.json: is no model's: it needs "id" and "files"/);
    await rm(join(folder, "config.json"));
    await writeModelFolder(folder, made);
    writeFileSync(join(folder, "reader.safetensors"), "weight");
    await refused(/reader\.safetensors: sha256 is .*\(6 bytes found, 7 expected\): the file is damaged/);
    await rm(join(folder, "reader.safetensors"));
    await refused(/reader\.safetensors: no such file; .*config\.json names it/);
    await mkdir(join(folder, "reader.safetensors"));
    await refused(/reader\.safetensors: cannot be read: EISDIR.*; .*config\.json names it/);
    await rm(join(folder, "reader.safetensors"), { recursive: true });
    await writeModelFolder(folder, made);
    writeFileSync(join(folder, "tokenizer.json"), "[]");
    await refused(/tokenizer\.json: sha256 is .*\(2 bytes found, 2 expected\): the file is damaged/);
    await writeModelFolder(folder, made);
    changeConfig(({ files }) => delete files.tokenizer.sha256);
    await refused(/files\.tokenizer needs the name of a file beside it, sha256 and bytes/);
  });

  it("is not written where a file stands, nor over a config.json that is none", async () => {
    writeFileSync(join(folder, "taken"), "a file");
    await expect(writeModelFolder(join(folder, "taken"), made)).rejects.toMatchObject({
      code: "io",
      message: expect.stringMatching(/taken: cannot be made: EEXIST.*; name another folder/),
    });
    writeFileSync(join(folder, "config.json"), "{ my settings");
    await expect(writeModelFolder(folder, made)).rejects.toMatchObject({
      code: "weights",
      message: expect.stringMatching(/config\.json: is not JSON/),
    });
    expect((await readdir(folder)).sort()).toEqual(["config.json", "taken"]);
  });

  it("cannot name a file elsewhere", async () => {
    await writeModelFolder(folder, made);
    changeConfig(({ files }) => {
      files.weights.name = "../secret";
    });
    await expect(readModelFolder(folder)).rejects.toThrow(/files\.weights needs the name of a file beside it/);
    for (const name of ["../x", "a/b", "", ".."]) {
      await expect(writeModelFolder(folder, { ...made, name })).rejects.toMatchObject({ code: "option" });
    }
  });
});
