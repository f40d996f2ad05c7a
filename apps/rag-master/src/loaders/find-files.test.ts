import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findFiles } from "./find-files.ts";
import { type Walk, walkFolder } from "./walk.ts";

let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "clara-find-"));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

async function write(...names: string[]): Promise<void> {
  for (const name of names) {
    await mkdir(join(root, name, ".."), { recursive: true });
    await writeFile(join(root, name), `text of ${name}`);
  }
}

const ids = async (...paths: string[]): Promise<string[]> =>
  (await findFiles(paths.map((path) => join(root, path)))).files.map(({ id }) => id);

describe("findFiles", () => {
  it("finds the files below a folder, sorted by their relative paths", async () => {
    await write("docs/b.md", "docs/a/z.txt", "docs/a.md");
    const found = await findFiles([join(root, "docs")]);
    expect(found.files).toEqual([
      { id: "a.md", path: join(root, "docs/a.md"), bytes: 17 },
      { id: "a/z.txt", path: join(root, "docs/a/z.txt"), bytes: 20 },
      { id: "b.md", path: join(root, "docs/b.md"), bytes: 17 },
    ]);
    expect(found).toMatchObject({ skipped: [], unreadable: [], roots: [join(root, "docs")] });
  });

  it("leaves out hidden files, node_modules and packs", async () => {
    await write("a.md", ".b.md", ".git/c.md", "node_modules/d/e.md", "pack/passages.jsonl", "site/manifest.json");
    await writeFile(join(root, "pack/manifest.json"), '{ "format": "clara-pack", "version": 1 }');
    expect(await ids(".")).toEqual(["a.md", "site/manifest.json"]);
  });

  it("takes a hidden file or folder that is given by name", async () => {
    await write(".github/a.md", ".notes.md");
    expect(await ids(".github", ".notes.md")).toEqual([".notes.md", "a.md"]);
  });

  it("puts the folders' names before ids that two folders share", async () => {
    await write("one/docs/a.md", "two/docs/a.md", "three/b.md");
    expect(await ids("one/docs", "two/docs", "three")).toEqual(["b.md", "one/docs/a.md", "two/docs/a.md"]);
    expect(await ids("one/docs/a.md", "three/b.md")).toEqual(["a.md", "b.md"]);
  });

  it("lists a file once when the given paths overlap", async () => {
    await write("docs/a.md", "docs/sub/b.md");
    const found = await findFiles(["docs", "docs/sub", "docs/a.md", "docs"].map((path) => join(root, path)));
    expect(found.files.map(({ id }) => id)).toEqual(["a.md", "sub/b.md"]);
    expect(found.skipped).toEqual([]);
  });

  it("ends on a loop of links, and says so", async () => {
    await write("docs/a.md", "docs/sub/b.md");
    await symlink(join(root, "docs"), join(root, "docs/sub/loop"));
    const found = await findFiles([join(root, "docs")]);
    expect(found.files.map(({ id }) => id)).toEqual(["a.md", "sub/b.md"]);
    expect(found.skipped).toEqual([
      { path: join(root, "docs/sub/loop"), reason: "link to a folder that is read already" },
    ]);
  });

  it("follows links out of the folder, and prefers the real path of a file to a link's", async () => {
    await write("docs/z.md", "outside/c.md");
    await symlink(join(root, "outside"), join(root, "docs/linked"));
    await symlink(join(root, "docs/z.md"), join(root, "docs/a.md"));
    await symlink(join(root, "nowhere"), join(root, "docs/broken.md"));
    const found = await findFiles([join(root, "docs")]);
    expect(found.files.map(({ id }) => id)).toEqual(["linked/c.md", "z.md"]);
    expect(found.skipped).toEqual([
      { path: join(root, "docs/a.md"), reason: `same file as ${join(root, "docs/z.md")}` },
      { path: join(root, "docs/broken.md"), reason: "link to nothing" },
    ]);
  });

  it("finds nothing in an empty folder", async () => {
    expect(await findFiles([root])).toEqual({ files: [], skipped: [], unreadable: [], roots: [root] });
  });

  it("names the path that does not exist", async () => {
    await write("a.md");
    const missing = join(root, "missing");
    await expect(findFiles([root, missing])).rejects.toMatchObject({
      code: "input",
      message: expect.stringContaining(missing),
    });
    await expect(findFiles([join(root, "a.md/b")])).rejects.toMatchObject({ code: "input" });
  });

  it("stops when the caller says so", async () => {
    await expect(findFiles([root], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
  });
});

describe("walkFolder", () => {
  it("lists a folder that cannot be read and goes on", async () => {
    await write("a.md");
    await mkdir(join(root, "locked"));
    const { readdir } = await import("node:fs/promises");
    const list: Walk["list"] = async (path) => {
      if (path.endsWith("locked")) throw Object.assign(new Error("permission denied"), { code: "EACCES" });
      return await readdir(path, { withFileTypes: true });
    };
    const walk: Walk = { skipped: [], seen: new Set(), list };
    expect((await walkFolder(root, walk)).map(({ path }) => path)).toEqual([join(root, "a.md")]);
    expect(walk.skipped).toEqual([
      { path: join(root, "locked"), reason: "folder cannot be read: EACCES", unreadable: true },
    ]);
  });
});
