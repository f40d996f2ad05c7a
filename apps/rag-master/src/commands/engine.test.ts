import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWheel } from "../engine-install/testing/make-wheel.ts";
import { tryTfjsNode } from "../engine-install/try-tfjs-node.ts";
import { createTerminal } from "../terminal/index.ts";
import { addEngine } from "./engine.ts";

let cwd = "";
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "clara-engine-"));
});
afterAll(() => rmSync(cwd, { recursive: true }));

/** The error that the command ends with. */
async function refused(...args: string[]): Promise<{ code: string; message: string }> {
  const stream = { write: () => true };
  const terminal = createTerminal({ stdout: stream, stderr: stream });
  const program = new Command().exitOverride().configureOutput({ writeErr: () => {}, writeOut: () => {} });
  addEngine(program, {
    terminal,
    signal: new AbortController().signal,
    cache: join(cwd, "cache"),
    variable: () => undefined,
    version: "0",
    runtime: () => ({}),
  });
  for (const command of program.commands[0]!.commands) command.exitOverride().configureOutput({ writeErr: () => {} });
  return program.parseAsync(["engine", "install", ...args], { from: "user" }).then(
    () => expect.fail("it was done"),
    (error) => error,
  );
}

describe("engine install", () => {
  it("knows its engines, and needs wheels", async () => {
    expect(await refused("cuda", "--from", "x")).toMatchObject({
      code: "option",
      message: 'engine install: "cuda" is not known; choose tfjs-node, tfjs-node-gpu or ort-cuda',
    });
    expect(await refused("tfjs-node")).toMatchObject({ code: "commander.missingMandatoryOptionValue" });
    expect(await refused("ort-cuda", "--from", "a", "b")).toMatchObject({
      code: "option",
      message: expect.stringContaining("--from needs one wheel, got 2"),
    });
  });

  it("says how to get the npm packages that tfjs-node is built from, into a place where it finds them", async () => {
    const { code, message } = await refused("tfjs-node", "--package", join(cwd, "absent"), "--from", "x.whl");
    expect(code).toBe("engine");
    expect(message).toContain(
      `npm install --prefix ${join(cwd, "cache", "tfjs-node")} --ignore-scripts @tensorflow/tfjs-node@4.22.0 node-api-headers@1.9.0`,
    );
  });

  it("finds onnxruntime-node by itself and wants a wheel of its version", async () => {
    const wheel = makeWheel(cwd, { name: "onnxruntime-gpu", version: "1.2.3" });
    const { code, message } = await refused("ort-cuda", "--from", wheel);
    if (process.platform === "linux" && process.arch === "x64") {
      expect(code).toBe("input");
      expect(message).toMatch(
        /needs onnxruntime-gpu \d+\.\d+\.\d+, the version of onnxruntime-node, .* onnxruntime-gpu 1\.2\.3/,
      );
    } else expect(code).toBe("unsupported");
  });
});

describe("tryTfjsNode", () => {
  const { CLARA_TFJS_ADDON: addon, CLARA_TFJS_NODE: packageFolder } = process.env;

  it("gives the words of a process that fails", async () => {
    writeFileSync(join(cwd, "package.json"), "{}");
    const tried = await tryTfjsNode({ packageFolder: cwd });
    expect(tried).toEqual({ ok: false, stderr: expect.stringContaining("Cannot find module '@tensorflow/tfjs'") });
  });

  it.skipIf(!addon || !packageFolder)(
    "tries a real one (needs CLARA_TFJS_ADDON, see scripts/tfjs-node.mjs)",
    async () => {
      const tried = await tryTfjsNode({ packageFolder: packageFolder!, addon: addon! });
      expect(tried).toMatchObject({ ok: true, tensorflow: expect.stringMatching(/^2\./) });
    },
  );
});
