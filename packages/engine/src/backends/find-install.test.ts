import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findInstall } from "./find-install.ts";

let cache = "";
const build = (folder: string, note: object | string): void => {
  mkdirSync(join(cache, folder));
  writeFileSync(join(cache, folder, "install.json"), typeof note === "string" ? note : JSON.stringify(note));
};
const note = (tensorflow: string, engine = "tfjs-node") => ({
  engine,
  tensorflow,
  addon: "addon/x.node",
  packageFolder: "/p",
});

beforeAll(() => {
  cache = mkdtempSync(join(tmpdir(), "clara-installs-"));
  build("libtensorflow-2.9.1", note("2.9.1"));
  build("libtensorflow-2.18.1", note("2.18.1"));
  build("libtensorflow-2.19.0-gpu", note("2.19.0", "tfjs-node-gpu"));
  build("libtensorflow-2.21.0", '{ "engine": "tfjs-node", ');
  build("libtensorflow-2.22.0", { ...note("2.22.0"), addon: 1 });
  build("libtensorflow-2.23.0", note("2.23.0", "other"));
  build("libtensorflow-2.24.0.building-77", note("2.24.0"));
  mkdirSync(join(cache, "libtensorflow-2.25.0"));
});
afterAll(() => rmSync(cache, { recursive: true }));

describe("findInstall", () => {
  it("finds the newest whole build of an engine, by number", () => {
    expect(findInstall(cache, "tfjs-node")).toEqual({
      engine: "tfjs-node",
      tensorflow: "2.18.1",
      addon: join(cache, "libtensorflow-2.18.1/addon/x.node"),
      packageFolder: "/p",
    });
    expect(findInstall(cache, "tfjs-node-gpu")?.tensorflow).toBe("2.19.0");
  });

  it("finds nothing where there is nothing", () => {
    expect(findInstall(cache, "wasm")).toBeUndefined();
    expect(findInstall(join(cache, "absent"), "tfjs-node")).toBeUndefined();
  });
});
