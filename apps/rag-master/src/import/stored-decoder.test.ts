import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeSafetensors } from "@clara/model";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSource } from "./file-source.ts";
import { openStoredDecoder } from "./stored-decoder.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "clara-import-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bytesOf = (...numbers: number[]): Uint8Array => new Uint8Array(Float32Array.from(numbers).buffer);
const shard = (tensors: Record<string, number[]>): Uint8Array =>
  writeSafetensors(
    Object.fromEntries(
      Object.entries(tensors).map(([name, of]) => [name, { dtype: "F32", shape: [of.length], bytes: bytesOf(...of) }]),
    ),
  );
const save = (name: string, content: Uint8Array | object): void =>
  writeFileSync(join(folder, name), content instanceof Uint8Array ? content : JSON.stringify(content));
const first = "model-00001-of-00002.safetensors";
const second = "model-00002-of-00002.safetensors";
function saveShards(map: Record<string, unknown> = { a: first, b: first, c: second }): void {
  save(first, shard({ a: [1], b: [2, 3] }));
  save(second, shard({ c: [4, 5, 6] }));
  save("model.safetensors.index.json", { metadata: {}, weight_map: map });
}

describe("openStoredDecoder", () => {
  it("reads a model of one file", () => {
    save("model.safetensors", shard({ a: [1, 2] }));
    const { tensors, files, close } = openStoredDecoder(folder);
    expect(tensors.a!.read()).toEqual(bytesOf(1, 2));
    expect(files.map(({ name }) => name)).toEqual(["model.safetensors"]);
    close();
  });

  it("reads a model in shards as one", () => {
    saveShards();
    const { tensors, files, close } = openStoredDecoder(folder);
    expect(Object.keys(tensors).sort()).toEqual(["a", "b", "c"]);
    expect([tensors.b!.read(), tensors.c!.read()]).toEqual([bytesOf(2, 3), bytesOf(4, 5, 6)]);
    expect(files.map(({ name }) => name)).toEqual([first, second]);
    close();
  });

  it("names every shard that is missing", () => {
    save("model.safetensors.index.json", { weight_map: { a: first, c: second } });
    expect(() => openStoredDecoder(folder)).toThrow(
      `${folder}: ${first}, ${second} missing, of the 2 that model.safetensors.index.json names; copy the folder again`,
    );
  });

  it("says what a folder without weights should have", () => {
    expect(() => openStoredDecoder(folder)).toThrow(/model\.safetensors missing; a model has model\.safetensors, or/);
  });

  it("compares the shards with the index", () => {
    saveShards({ a: first, d: second });
    expect(() => openStoredDecoder(folder)).toThrow(`${second}: has no "d", which model.safetensors.index.json says`);
    save(second, shard({ a: [1] }));
    expect(() => openStoredDecoder(folder)).toThrow(`${second}: "a" is in another shard too`);
  });

  it("does not leave the folder", () => {
    saveShards({ a: "../secret.safetensors" });
    expect(() => openStoredDecoder(folder)).toThrow(/weight_map has "\.\.\/secret\.safetensors" for "a"/);
    save("model.safetensors.index.json", { weight_map: [] });
    expect(() => openStoredDecoder(folder)).toThrow(/has no weight_map/);
    save("model.safetensors.index.json", new TextEncoder().encode("{"));
    expect(() => openStoredDecoder(folder)).toThrow(/index\.json: is not JSON/);
  });

  it("says which file is cut", () => {
    saveShards();
    truncateSync(join(folder, second), 70);
    expect(() => openStoredDecoder(folder)).toThrow(new RegExp(`${second}: the file is cut: .* found 70`));
  });
});

describe("openSource", () => {
  it("says when a file has become shorter than it was", () => {
    save("x", new Uint8Array(100));
    const source = openSource(join(folder, "x"));
    truncateSync(join(folder, "x"), 40);
    expect(source.read(0, 40)).toHaveLength(40);
    expect(() => source.read(10, 50)).toThrow(/x: ends at byte 40; it was cut while being read/);
    source.close();
  });

  it("refuses what is no file", () => {
    expect(() => openSource(join(folder, "none"))).toThrow(/none: no such file/);
    expect(() => openSource(folder).read(0, 1)).toThrow(/is a folder/);
  });
});
