import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkData, type DataIdentity, dataReader, withPaths } from "./read-data.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "clara-data-"));
  writeFileSync(join(folder, "a.txt"), "plain");
  writeFileSync(join(folder, "b.gz"), gzipSync("packed"));
  writeFileSync(join(folder, "cut.gz"), gzipSync("packed").subarray(0, 12));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const file = (path: string) => ({ path: join(folder, path), about: "words", licence: "CC0-1.0" });

describe("dataReader", () => {
  it("unpacks what is packed, and tells what has been read", async () => {
    const seen: [string, DataIdentity][] = [];
    const { read } = dataReader({ a: file("a.txt"), b: file("b.gz") }, (...each) => seen.push(each));
    expect(Buffer.from(await read("a")).toString()).toBe("plain");
    expect(Buffer.from(await read("b")).toString()).toBe("packed");
    expect(seen.map(([name, { bytes, licence }]) => [name, bytes, licence])).toEqual([
      ["a", 5, "CC0-1.0"],
      ["b", gzipSync("packed").length, "CC0-1.0"],
    ]);
    expect(seen[0]![1].sha256).toMatch(/^a116c9ed46d62077/);
  });

  it("refuses names that are not listed, and files that are damaged", async () => {
    const { read } = dataReader({ a: file("gone.txt"), cut: file("cut.gz") }, () => {});
    await expect(read("toString")).rejects.toMatchObject({
      code: "option",
      message: expect.stringMatching(/lists no data "toString", only a, cut/),
    });
    await expect(read("a")).rejects.toMatchObject({
      code: "input",
      message: expect.stringMatching(/gone\.txt: cannot be read/),
    });
    await expect(read("cut")).rejects.toMatchObject({
      code: "input",
      message: expect.stringMatching(/cut\.gz: is damaged: .*; copy it again/),
    });
  });
});

describe("checkData", () => {
  it("names every missing file, what it is, and how to say where it lies", async () => {
    await expect(checkData({ a: file("a.txt") })).resolves.toBeUndefined();
    await expect(checkData({ a: file("x"), b: file(".") })).rejects.toMatchObject({
      code: "input",
      message: expect.stringMatching(
        /x: no such file; it is the recipe's "a" \(words\): put it there, or say --data a=PATH\n.*is no file/,
      ),
    });
  });
});

describe("withPaths", () => {
  it("puts other paths in place, and keeps licence and description", () => {
    const changed = withPaths({ a: file("a.txt"), b: file("b.gz") }, ["a=else=where"]);
    expect(changed).toEqual({ a: { ...file("a.txt"), path: "else=where" }, b: file("b.gz") });
  });

  it("refuses what is no pair, and names the recipe does not read", () => {
    const data = { squad: file("a.txt"), nq: file("b.gz") };
    for (const pair of ["squad", "=x", "squad="]) expect(() => withPaths(data, [pair])).toThrow(/needs name=path, got/);
    expect(() => withPaths(data, ["sqaud=x"])).toThrow(/reads no "sqaud"; did you mean "squad"\?/);
    expect(() => withPaths(data, ["words=x"])).toThrow(/reads no "words"; it reads squad, nq/);
    expect(() => withPaths({}, ["__proto__=x"])).toThrow(/it reads none/);
  });
});
