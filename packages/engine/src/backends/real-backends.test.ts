import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { SHARE_ENV, Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { prepareEnvironment } from "./environment.ts";
import type { BackendDetails, BackendName } from "./types.ts";

const { CLARA_TFJS_ADDON: addon, CLARA_TFJS_NODE: packageFolder, CLARA_TFJS_WASM, CLARA_GPU } = process.env;
const built = addon !== undefined && packageFolder !== undefined && existsSync(addon);

function wasmFolder(): string | undefined {
  try {
    return dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm/package.json"));
  } catch {
    return CLARA_TFJS_WASM;
  }
}
const wasm = wasmFolder();

interface Answer {
  readonly details?: BackendDetails;
  readonly values?: object;
  readonly leaked?: number;
  readonly error?: string;
}

/** Loads it in a worker, as the engine does. `printed` is what the thread wrote. */
async function compute(name: BackendName, options: object, beside = false): Promise<Answer & { printed: string }> {
  prepareEnvironment(name);
  const url = new URL("./testing/compute-in-worker.ts", import.meta.url);
  const worker = new Worker(url, {
    workerData: { name, options, beside },
    env: SHARE_ENV,
    stdout: true,
    stderr: true,
  });
  let printed = "";
  for (const stream of [worker.stdout, worker.stderr]) stream.on("data", (piece) => (printed += piece));
  const answer = await new Promise<Answer>((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
  });
  await worker.terminate();
  return { ...answer, printed };
}

const values = { product: [19, 22, 43, 50], gradient: [2, 2, 1, 1], einsum: [17, 23, 39, 53] };

describe("a back end in a worker thread", () => {
  it("computes: cpu", async () => {
    expect(await compute("cpu", {})).toMatchObject({ values, leaked: 0, printed: "" });
  });

  it.skipIf(!wasm)("computes: wasm (needs @tensorflow/tfjs-backend-wasm)", async () => {
    const answer = await compute("wasm", { packageFolder: wasm });
    expect(answer).toMatchObject({ values, leaked: 0, printed: "" });
    expect(answer.details?.borrowed).toContain("UnsortedSegmentSum");
  });

  it.skipIf(!built)("computes: tfjs-node (needs CLARA_TFJS_ADDON, see scripts/tfjs-node.mjs)", async () => {
    const answer = await compute("tfjs-node", { addon, packageFolder });
    expect(answer).toMatchObject({ values, leaked: 0, printed: "", details: { gpu: false, addon } });
  });

  it.skipIf(!built)("computes beside our own TensorFlow.js: tfjs-node (needs CLARA_TFJS_ADDON)", async () => {
    expect(await compute("tfjs-node", { addon, packageFolder }, true)).toMatchObject({
      values,
      leaked: 0,
      printed: "",
    });
  });

  it.skipIf(!built || CLARA_GPU === "1")("refuses tfjs-node-gpu without a GPU (needs CLARA_TFJS_ADDON)", async () => {
    const { error } = await compute("tfjs-node-gpu", { addon, packageFolder });
    expect(error).toMatch(/^loadBackend: tfjs-node-gpu cannot be used: TensorFlow found no GPU/);
  });

  it.skipIf(!built || CLARA_GPU !== "1")(
    "computes: tfjs-node-gpu (needs CLARA_TFJS_ADDON and CLARA_GPU=1)",
    async () => {
      const answer = await compute("tfjs-node-gpu", { addon, packageFolder });
      expect(answer).toMatchObject({ values, leaked: 0, details: { gpu: true } });
    },
  );
});
