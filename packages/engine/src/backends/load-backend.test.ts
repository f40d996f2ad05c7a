import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tf } from "@clara/tensor";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type LoadBackendOptions, loadBackend } from "./load-backend.ts";
import { type FakeModules, type FakeTfjsOptions, fakeRequire, fakeTfjs } from "./testing/fake-packages.ts";
import type { BackendName } from "./types.ts";

const node = "/node_modules/@tensorflow/tfjs-node";

/** A package of tfjs-node that is whole but for its addon. */
function tfjsNode(options: FakeTfjsOptions & { folder?: string; version?: string; name?: string } = {}) {
  const { folder = node, version = "4.22.0", name = "@tensorflow/tfjs-node" } = options;
  const { tf: fake, Backend, made } = fakeTfjs(options);
  const modules: FakeModules = {
    [`${folder}/package.json`]: { name, version },
    "/node_modules/@tensorflow/tfjs": fake,
    [`${folder}/dist/register_all_kernels`]: {},
    [`${folder}/dist/nodejs_kernel_backend`]: () => ({ NodeJSKernelBackend: Backend }),
    [`${folder}/dist/index.js`]: () => {
      throw new Error(`The Node.js native addon module (tfjs_binding.node) can not be found at path: ${folder}/lib`);
    },
    "/built/tfjs_binding.node": "the addon",
  };
  return { modules, fake, made };
}

const failure = async (
  name: BackendName,
  modules: FakeModules,
  options: LoadBackendOptions = {},
): Promise<{ code: string; message: string }> =>
  loadBackend(name, options, fakeRequire(modules)).then(
    () => expect.fail("it loaded"),
    (error) => error,
  );

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  await tf.setBackend("cpu");
});

describe("loadBackend", () => {
  it("gives the CPU back end from our own TensorFlow.js", async () => {
    const loaded = await loadBackend("cpu");
    expect(loaded.tf).toBe(tf);
    expect(tf.getBackend()).toBe("cpu");
    expect(loaded.details).toEqual({ backend: "cpu", borrowed: [] });
  });

  it("refuses a name that it does not know", async () => {
    await expect(loadBackend("webgl" as BackendName)).rejects.toMatchObject({
      code: "option",
      message: expect.stringContaining('tfjs-node-gpu, tfjs-node, wasm, cpu, got "webgl"'),
    });
  });

  it("puts tfjs-node's kernels and a built addon together, and gives its TensorFlow.js", async () => {
    const { modules, fake, made } = tfjsNode();
    const open = fakeRequire(modules);
    const loaded = await loadBackend("tfjs-node", { addon: "/built/tfjs_binding.node" }, open);
    expect(loaded.tf).toBe(fake);
    expect(made).toEqual([{ binding: "the addon", packageName: "@tensorflow/tfjs-node" }]);
    expect(open.asked).not.toContain(`${node}/dist/index.js`);
    expect(loaded.details).toEqual({
      backend: "tensorflow",
      packageFolder: node,
      addon: "/built/tfjs_binding.node",
      tensorflow: "2.18.1",
      gpu: false,
      borrowed: [],
    });
  });

  it("loads tfjs-node as it is when no addon was built", async () => {
    const { modules, fake, made } = tfjsNode();
    const registered = fake as { registerBackend(name: string, make: () => object): void };
    const { NodeJSKernelBackend } = (modules[`${node}/dist/nodejs_kernel_backend`] as () => never)() as {
      NodeJSKernelBackend: new (binding: unknown, name: string) => object;
    };
    const whole = {
      ...modules,
      [`${node}/dist/index.js`]: () =>
        registered.registerBackend("tensorflow", () => new NodeJSKernelBackend("its own", "@tensorflow/tfjs-node")),
    };
    const { details } = await loadBackend("tfjs-node", {}, fakeRequire(whole));
    expect(made).toEqual([{ binding: "its own", packageName: "@tensorflow/tfjs-node" }]);
    expect(details).not.toHaveProperty("addon");
  });

  it("takes what engine install built, and the package that it noted", async () => {
    const cache = mkdtempSync(join(tmpdir(), "clara-backends-"));
    folders.push(cache);
    mkdirSync(join(cache, "libtensorflow-2.18.1-gpu"));
    const note = { engine: "tfjs-node-gpu", tensorflow: "2.18.1", addon: "a.node", packageFolder: "/elsewhere" };
    writeFileSync(join(cache, "libtensorflow-2.18.1-gpu", "install.json"), JSON.stringify(note));
    const { modules } = tfjsNode({ folder: "/elsewhere", gpu: true });
    const addon = join(cache, "libtensorflow-2.18.1-gpu", "a.node");
    const open = fakeRequire({ ...modules, [addon]: "built" });
    const { details } = await loadBackend("tfjs-node-gpu", { cache }, open);
    expect(details).toMatchObject({ addon, packageFolder: "/elsewhere", gpu: true });
    // It is of no use to the other engine, which finds nothing else.
    expect(await failure("tfjs-node", modules, { cache })).toMatchObject({
      message: expect.stringContaining("@tensorflow/tfjs-node is not installed"),
    });
  });

  it("takes either package for either engine, the engine's own first", async () => {
    const folder = "/node_modules/@tensorflow/tfjs-node-gpu";
    const { modules, made } = tfjsNode({ folder, name: "@tensorflow/tfjs-node-gpu" });
    await loadBackend("tfjs-node", { addon: "/built/tfjs_binding.node" }, fakeRequire(modules));
    const both = { ...tfjsNode().modules, ...modules };
    const { details } = await loadBackend("tfjs-node", { addon: "/built/tfjs_binding.node" }, fakeRequire(both));
    expect(made[0]?.packageName).toBe("@tensorflow/tfjs-node-gpu");
    expect(details.packageFolder).toBe(node);
  });

  it("never runs tfjs-node-gpu on the CPU", async () => {
    const { modules } = tfjsNode({ gpu: false });
    const { code, message } = await failure("tfjs-node-gpu", modules, { addon: "/built/tfjs_binding.node" });
    expect(code).toBe("engine");
    expect(message).toMatch(/^loadBackend: tfjs-node-gpu cannot be used: TensorFlow found no GPU and would compute/);
    expect(message).toContain("nvidia-smi");
    expect(message).toContain("rag-master engine install tfjs-node-gpu --from tensorflow-2.18.1-*.whl nvidia_*.whl");
  });

  it.each<[string, BackendName, FakeModules, LoadBackendOptions, RegExp]>([
    ["the package is absent", "tfjs-node", {}, {}, /is not installed\nnpm install --ignore-scripts @tensorflow\/tfjs-/],
    ["WebAssembly's is absent", "wasm", {}, {}, /npm install @tensorflow\/tfjs-backend-wasm@4\.22\.0$/],
    [
      "the addon was not built",
      "tfjs-node",
      tfjsNode().modules,
      {},
      /without its scripts\npip download.*tensorflow-cpu/,
    ],
    [
      "a built addon is gone",
      "tfjs-node",
      tfjsNode().modules,
      { addon: "/x/y.node" },
      /addon \/x\/y\.node is not there/,
    ],
    [
      "the version is another",
      "tfjs-node",
      tfjsNode({ version: "4.21.0" }).modules,
      {},
      /holds @tensorflow\/tfjs-node 4\.21\.0, and @tensorflow\/tfjs-node 4\.22\.0 is needed\nnpm install/,
    ],
    ["the folder holds no package", "tfjs-node", {}, { packageFolder: "/tmp/x" }, /\/tmp\/x holds no package, and/],
    [
      "the back end does not start",
      "tfjs-node",
      tfjsNode({ starts: false }).modules,
      { addon: "/built/tfjs_binding.node" },
      /TensorFlow's back end could not be initialized$/,
    ],
  ])("says what to do when %s", async (_, name, modules, options, expected) => {
    const error = await failure(name, modules, options);
    expect(error).toMatchObject({ name: "ClaraError", code: "engine" });
    expect(error.message).toMatch(expected);
  });

  it("starts WebAssembly with the files beside its package", async () => {
    const folder = "/node_modules/@tensorflow/tfjs-backend-wasm";
    const setWasmPaths = vi.fn();
    const Store = tf.findBackend("cpu")!.constructor as new () => never;
    const open = fakeRequire({
      [`${folder}/package.json`]: { name: "@tensorflow/tfjs-backend-wasm", version: "4.22.0" },
      [folder]: () => {
        tf.registerBackend("wasm", () => new Store());
        return { setWasmPaths };
      },
    });
    try {
      const { details } = await loadBackend("wasm", {}, open);
      expect(setWasmPaths).toHaveBeenCalledWith(`${folder}/dist/`);
      expect(tf.getBackend()).toBe("wasm");
      // This one has no kernels at all.
      expect(details.borrowed).toContain("UnsortedSegmentSum");
    } finally {
      await tf.setBackend("cpu");
      tf.removeBackend("wasm");
      for (const { kernelName } of tf.getKernelsForBackend("wasm")) tf.unregisterKernel(kernelName, "wasm");
    }
  });
});
