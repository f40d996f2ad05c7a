import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Weights } from "@clara/core";
import { createEngine, type Engine } from "@clara/engine";
import { answerFromCandidates } from "@clara/generator";
import {
  adapterArrays,
  decode,
  decoderArrays,
  nestAdapter,
  nestDecoder,
  parseDecoderConfig,
  quantizeDecoder,
  readSafetensors,
} from "@clara/model";
import { tf } from "@clara/tensor";
import { adapterNames } from "@clara/train";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readClaraFolder } from "../clara-folder.ts";
import { inspect } from "./inspect.ts";
import { openImported } from "./open-imported.testing.ts";
import type { Precision } from "./plan.ts";
import { runImport } from "./run-import.ts";
import {
  tinyAdapters,
  tinyBase,
  tinyConfigFile,
  tinyTables,
  writeTinyBase,
  writeTinyCheckpoint,
} from "./tiny-checkpoint.testing.ts";

const folder = mkdtempSync(join(tmpdir(), "clara-import-"));
const at = (name: string): string => join(folder, name);
let engine: Engine;
beforeAll(async () => {
  writeTinyBase(at("base"));
  writeTinyCheckpoint(at("checkpoint"));
  engine = await createEngine({ prefer: "compiled", threads: 1 });
});
afterAll(async () => {
  await engine.dispose();
  rmSync(folder, { recursive: true });
});

async function imported(precision: Precision, out = precision as string): Promise<string> {
  const inspected = inspect(at("checkpoint"), { base: at("base"), precision });
  try {
    await runImport(inspected, at(out));
    return at(out);
  } finally {
    inspected.close();
  }
}

const config = parseDecoderConfig({ ...tinyConfigFile });

/** Arrays of a safetensors file, whole numbers too. */
function arraysOf(path: string): Record<string, { shape: readonly number[]; data: Float32Array | Int32Array }> {
  const { tensors } = readSafetensors(readFileSync(path));
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape, bytes }]) => {
      const { buffer } = new Uint8Array(bytes);
      return [name, { shape, data: dtype === "I32" ? new Int32Array(buffer) : new Float32Array(buffer) }];
    }),
  );
}

const base = (): Weights => {
  const tables = Object.entries(tinyTables()).map(([name, { shape, data }]) => [name, { shape, data }]);
  return decoderArrays({ ...tinyBase(), ...Object.fromEntries(tables) }, config);
};

describe("an imported checkpoint", () => {
  it("is the base by our paths with the checkpoint's tables, and all adapters", async () => {
    const out = await imported("float32");
    expect(arraysOf(join(out, "base.safetensors"))).toEqual(base());
    const stored = tinyAdapters();
    const expected = Object.entries(adapterNames).flatMap(([role, name]) => {
      const own = Object.entries(stored).filter(([key]) => key.startsWith(`${name}/`));
      const weights = Object.fromEntries(own.map(([key, tensor]) => [key.slice(name.length + 1), tensor]));
      return Object.entries(adapterArrays(weights, config)).map(([path, array]) => [`${role}.${path}`, array]);
    });
    expect(arraysOf(join(out, "adapters.safetensors"))).toEqual(Object.fromEntries(expected));
    expect(readdirSync(out).sort()).toEqual([
      ...["adapters.safetensors", "base.safetensors", "chat_template.jinja", "config.json", "tokenizer.json"],
      "tokenizer_config.json",
    ]);
  });

  it("is known by its config, which has no other fields than are needed", async () => {
    const { id, kind, precision, decoder, clara, licence, bytes } = await readClaraFolder(await imported("float32"));
    expect([kind, precision, decoder]).toEqual(["clara", "float32", config]);
    expect(id).toMatch(/^checkpoint\+[0-9a-f]{12}$/);
    expect(licence).toEqual({ checkpoint: null, base: "apache-2.0" });
    expect(clara).toEqual({
      ...{ documentTokens: 8, rate: 4, memoryTokens: 2, documents: 2, loraScale: 2, stage: "endToEnd" },
      adapters: ["compressor", "generator", "query"],
    });
    expect(bytes).toBeGreaterThan(100_000);
    expect(JSON.parse(readFileSync(join(at("float32"), "config.json"), "utf8")).decoder).toEqual(tinyConfigFile);
  });

  it.each([
    ["int4", 4],
    ["int8", 8],
  ] as const)("has the weights of quantizeDecoder: %s", async (precision, bits) => {
    const arrays = arraysOf(join(await imported(precision), "base.safetensors"));
    expect(arrays).toEqual(quantizeDecoder(base(), config, { bits }));
  });

  it.each(["float32", "int8", "int4"] as const)(
    "computes compiled over its mapped file as at once: %s",
    async (precision) => {
      const out = await imported(precision);
      const model = await readClaraFolder(out);
      const adapter = model.adapter("compressor")!;
      const run = ({ ids }: Record<string, tf.Tensor>, params: Record<string, tf.Tensor>): tf.Tensor => {
        const own = Object.entries(params).filter(([name]) => !/\.[ab]$/.test(name));
        const options = { ...model.decoder, adapter: nestAdapter(params, 2) };
        return decode(
          nestDecoder(Object.fromEntries(own)),
          { ids: ids as tf.Tensor2D, mask: tf.onesLike(ids!) as tf.Tensor2D },
          options,
        );
      };
      const params = [await engine.params({ file: model.paths.base }), await engine.params(adapter)];
      const compiled = await engine.compile(run, { ids: { shape: ["B", "T"], dtype: "int32" } }, { params });
      const ids = { data: Int32Array.of(1, 270, 271, 272, 290, 293), shape: [2, 3] };
      const { output } = await compiled.run({ ids });
      const expected = tf.tidy(() => {
        const all = { ...arraysOf(model.paths.base), ...adapter };
        const tensors = Object.entries(all).map(([name, { data, shape }]) => [
          name,
          tf.tensor(data, [...shape], data instanceof Int32Array ? "int32" : "float32"),
        ]);
        return run({ ids: tf.tensor(ids.data, [2, 3], "int32") }, Object.fromEntries(tensors)).dataSync();
      });
      const largest = Math.max(...expected.map((value, i) => Math.abs(value - (output!.data[i] as number))));
      expect(largest).toBeLessThan(2e-5);
      expect(Math.max(...expected)).toBeGreaterThan(0.5);
    },
  );

  it.each(["float32", "int8", "int4"] as const)("answers: %s", async (precision) => {
    const { compressor, generator } = await openImported(engine, await imported(precision));
    const documents = [["a cat", "the dog", "no"]];
    const { answers } = await answerFromCandidates({ generator, compressor }, ["who"], documents, {
      selected: 2,
      maxTokens: 4,
    });
    expect(answers[0]!.documents).toHaveLength(2);
    expect(answers[0]!.ids.length).toBeGreaterThan(0);
  });
});

describe("an import that is stopped", () => {
  /** Stops at the first piece behind so many bytes. */
  async function stoppedAfter(bytes: number, out: string): Promise<void> {
    const stop = new AbortController();
    const inspected = inspect(at("checkpoint"), { base: at("base"), precision: "int8" });
    const onProgress = (done: number): void => {
      if (done > bytes) stop.abort();
    };
    await expect(runImport(inspected, out, { signal: stop.signal, onProgress })).rejects.toMatchObject({
      code: "aborted",
    });
    inspected.close();
  }
  const finish = async (out: string): Promise<number> => {
    const inspected = inspect(at("checkpoint"), { base: at("base"), precision: "int8" });
    const seen: number[] = [];
    await runImport(inspected, out, { onProgress: (done) => void seen.push(done) });
    inspected.close();
    return seen[0] ?? 0;
  };
  const same = async (out: string): Promise<void> => {
    const whole = await imported("int8");
    for (const name of readdirSync(whole)) {
      expect(Buffer.compare(readFileSync(join(out, name)), readFileSync(join(whole, name))), name).toBe(0);
    }
    expect(readdirSync(out)).toEqual(readdirSync(whole));
  };

  it("is no model, goes on where it was, and ends with the same bytes", async () => {
    const out = at("stopped");
    await stoppedAfter(60_000, out);
    expect(readdirSync(out).sort()).toEqual(["base.safetensors.part", "import.jsonl"]);
    await expect(readClaraFolder(out)).rejects.toThrow("its import is not done; run it again to go on");
    await stoppedAfter(95_000, out);
    expect(existsSync(join(out, "adapters.safetensors.part"))).toBe(true);
    expect(await finish(out)).toBeGreaterThan(60_000);
    await same(out);
    expect(await finish(out)).toBe(0); // done: nothing is written again
  });

  it("writes again what has been damaged or cut meanwhile", async () => {
    const out = at("damaged");
    await stoppedAfter(60_000, out);
    const part = join(out, "base.safetensors.part");
    const bytes = readFileSync(part);
    bytes[45_000]! ^= 1;
    writeFileSync(part, bytes);
    writeFileSync(join(out, "import.jsonl"), `${readFileSync(join(out, "import.jsonl"))}{"file":"base.safe`);
    expect(await finish(out)).toBeLessThan(45_000);
    await same(out);
  });

  it("goes on after its files were given their names", async () => {
    const out = at("named");
    await imported("int8", "named");
    const journal = join(out, "import.jsonl");
    const { plan } = JSON.parse(readFileSync(join(out, "config.json"), "utf8"));
    rmSync(join(out, "config.json"));
    writeFileSync(journal, `${JSON.stringify({ plan })}\n`);
    await finish(out);
    await same(out);
  });

  it("is not begun twice at once; a lock that was left behind is taken over", async () => {
    const out = at("twice");
    const first = inspect(at("checkpoint"), { base: at("base"), precision: "int8" });
    const running = runImport(first, out);
    await expect(imported("int8", "twice")).rejects.toThrow(/import\.lock: process \d+ is importing to this folder/);
    await running;
    first.close();
    await same(out);
    await stoppedAfter(60_000, at("left"));
    writeFileSync(join(at("left"), "import.lock"), "4194305\n"); // above the largest id of a process
    await finish(at("left"));
    await same(at("left"));
  });

  it("is not gone on with to another precision, nor over another model or file", async () => {
    const out = at("other");
    await stoppedAfter(60_000, out);
    await expect(imported("int4", "other")).rejects.toThrow(/an import of other files, or to another precision/);
    await imported("int8");
    await expect(imported("int4", "int8")).rejects.toThrow(
      /int8 holds the model checkpoint-int8\+[0-9a-f]{12} already/,
    );
    await expect(imported("int4", "checkpoint")).rejects.toThrow(/holds a model already/);
    writeFileSync(join(at("other"), "..", "tokenizer.json"), "{}");
    await expect(imported("int4", ".")).rejects.toThrow(/holds a file tokenizer.json, and nothing is overwritten/);
  });
});

describe("readClaraFolder", () => {
  it("names what is missing, cut, altered or not what config.json says", async () => {
    const out = await imported("float32", "read");
    const path = join(out, "config.json");
    const text = readFileSync(path, "utf8");
    const change = (edit: (json: Record<string, Record<string, unknown>>) => void): void => {
      const json = JSON.parse(text);
      edit(json);
      writeFileSync(path, JSON.stringify(json));
    };
    const refused = (message: string | RegExp, options = {}) =>
      expect(readClaraFolder(out, options)).rejects.toThrow(message);
    change(({ files }) => Object.assign(files!.base as object, { name: "../x" }));
    await refused("files.base needs the name of a file beside it");
    change(({ clara }) => Object.assign(clara!, { memoryTokens: 3 }));
    await refused("the table of words has 296 rows, config.json means another number");
    change(({ decoder }) => Object.assign(decoder!, { num_hidden_layers: 3 }));
    await refused('there is no tensor "layers.2.attention.norm"');
    change((json) => Object.assign(json, { kind: "other" }));
    await refused('it needs "id" and "kind"');
    writeFileSync(path, text);
    const adapters = readFileSync(join(out, "adapters.safetensors"));
    adapters[adapters.length - 1]! ^= 1;
    writeFileSync(join(out, "adapters.safetensors"), adapters);
    await readClaraFolder(out);
    await refused(/adapters\.safetensors: sha256 is [0-9a-f]{64}, expected/, { verify: true });
    writeFileSync(join(out, "adapters.safetensors"), adapters.subarray(1));
    await refused(/adapters\.safetensors: has \d+ bytes, expected \d+ bytes; copy the folder again, whole/);
    await expect(readClaraFolder(at("none"))).rejects.toThrow("no such file: import a model");
  });
});
