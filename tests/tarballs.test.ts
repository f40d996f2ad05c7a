import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mapLimited, run } from "./support/processes.ts";
import { members, ROOT } from "./support/repository.ts";

/** What `pnpm pack --json` says of a tarball. */
interface Tarball {
  readonly name: string;
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

const published = members();
const unbuilt = published.filter(({ folder }) => !existsSync(join(ROOT, folder, "dist/index.js")));

describe.skipIf(unbuilt.length > 0)("the tarballs on npm (needs a build: npm test builds first)", () => {
  let folder = "";
  let tarballs: Tarball[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "clara-tarballs-"));
    const filters = ["--filter", "./packages/*", "--filter", "./apps/*"];
    const packed = await run("pnpm", ["-r", ...filters, "pack", "--json", "--pack-destination", folder]);
    expect(packed).toMatchObject({ code: 0 });
    tarballs = JSON.parse(packed.stdout) as Tarball[];
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("are one for each package", () => {
    expect(tarballs.map(({ name }) => name).sort()).toEqual(published.map(({ name }) => name));
  });

  it("have the build, the licence and the README, and neither sources nor tests", () => {
    const wrong = tarballs.flatMap(({ name, files }) => {
      const paths = files.map(({ path }) => path);
      const missing = ["dist/index.js", "dist/index.d.ts", "LICENSE", "README.md", "package.json"].filter(
        (path) => !paths.includes(path),
      );
      const surplus = paths.filter((path) =>
        /(^|\/)(src|tests?|fixtures|node_modules)\/|\.test\.|tsconfig|tsdown/.test(path),
      );
      return [...missing.map((path) => `${name} lacks ${path}`), ...surplus.map((path) => `${name} has ${path}`)];
    });
    expect(wrong).toEqual([]);
  });

  it("depend on each other by version, not by workspace", async () => {
    for (const { name, filename } of tarballs) {
      const { stdout } = await run("tar", ["-xzOf", filename, "package/package.json"]);
      expect(stdout, name).not.toMatch(/workspace:|"@clara\/source"|link:|file:/);
    }
  });

  it("satisfy publint", async () => {
    const wrong = await mapLimited(tarballs, 2, async ({ name, filename }) => {
      const bytes = await readFile(filename);
      const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
      const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
      return messages.map((message) => `${name}: ${formatMessage(message, pkg, { color: false })}`);
    });
    expect(wrong.flat()).toEqual([]);
  });

  it("have types that an ES module finds (attw)", async () => {
    const wrong = await mapLimited(tarballs, 2, async ({ name, filename }) => {
      const { code, stdout, stderr } = await run("attw", [
        filename,
        "--profile",
        "esm-only",
        "--format",
        "ascii",
        "--no-color",
      ]);
      return code === 0 ? [] : [`${name}: ${stdout}${stderr}`];
    });
    expect(wrong.flat()).toEqual([]);
  });

  it("install together in an empty project, and every export loads (needs the npm registry)", async (context) => {
    const { code } = await run("npm", ["ping", "--fetch-retries=0", "--fetch-timeout=10000"], { cwd: folder });
    if (code !== 0) context.skip("the npm registry cannot be reached");

    const project = join(folder, "project");
    await mkdir(project);
    const fromTarball = Object.fromEntries(tarballs.map(({ name, filename }) => [name, `file:${filename}`]));
    const overrides = Object.fromEntries(tarballs.map(({ name }) => [name, `$${name}`]));
    const manifest = { name: "empty", private: true, type: "module", dependencies: fromTarball, overrides };
    await writeFile(join(project, "package.json"), JSON.stringify(manifest));
    const install = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"];
    expect(await run("npm", install, { cwd: project, timeoutMs: 110_000 })).toMatchObject({ code: 0 });

    const entries = published.flatMap(({ name, manifest: { exports = {} } }) =>
      Object.entries(exports)
        .filter(([path]) => path !== "./package.json")
        .map(([path, conditions]) => ({ module: name + path.slice(1), conditions: Object.keys(conditions as object) })),
    );
    // What has no build is for the tests of this repository, and must not be there.
    const [internal, modules] = [true, false].map((wanted) =>
      entries.flatMap(({ module, conditions }) => (conditions.includes("default") === wanted ? [] : [module])),
    );
    const script = `for (const name of ${JSON.stringify(modules)}) {
      const module = await import(name).catch((error) => { console.log(name + ": " + error.stack); });
      if (module && Object.keys(module).length === 0) console.log(name + ": exports nothing");
    }
    for (const name of ${JSON.stringify(internal)}) {
      const code = await import(name).then(() => "loads", (error) => error.code);
      if (code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") console.log(name + ": " + code);
    }
    process.exit();`;
    await writeFile(join(project, "load.js"), script);
    expect(internal).toContain("@clara/model/testing");
    expect(modules).toContain("@clara/tensor/testing");
    expect(await run(process.execPath, ["load.js"], { cwd: project })).toEqual({ code: 0, stdout: "", stderr: "" });

    for (const {
      name,
      manifest: { bin = {} },
    } of published) {
      for (const path of Object.values(bin)) {
        const help = await run(process.execPath, [join(project, "node_modules", name, path), "--help"], {
          cwd: project,
        });
        expect(help, `${name} --help`).toMatchObject({ code: 0, stderr: "" });
        expect(help.stdout).toContain("Usage");
      }
    }
  });
});
