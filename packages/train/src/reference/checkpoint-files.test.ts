import { existsSync, readFileSync } from "node:fs";
import { ClaraError } from "@clara/core";
import { adapterArrays, adapterWeights, parseDecoderConfig, readTorchFile, writeTorchFile } from "@clara/model";
import { describe, expect, it } from "vitest";
import type { Role } from "../clara/clara-params.ts";
import { parseReferenceConfig, type ReferenceConfig, referenceConfig } from "./checkpoint-config.ts";
import { type ReferenceCheckpoint, readReferenceCheckpoint, writeReferenceCheckpoint } from "./checkpoint-files.ts";

const fixtures = new URL("../../../../../shared/fixtures/clara-tiny/", import.meta.url);
const shared = existsSync(fixtures);
const bytes = (path: string): Buffer => readFileSync(new URL(path, fixtures));
const load = (folder: string): ReferenceCheckpoint =>
  readReferenceCheckpoint(
    {
      config: JSON.parse(bytes(`checkpoints/${folder}/config.json`).toString()),
      adapters: bytes(`checkpoints/${folder}/adapters.pth`),
      tables: bytes(`checkpoints/${folder}/decoder_first_last_layers.pth`),
    },
    { vocabulary: 659 },
  );

describe.skipIf(!shared)("checkpoints of the reference (needs ../shared/fixtures)", () => {
  it.each([
    ["rate8/stage1", ["compressor", "generator"], "compression", 6],
    ["rate8/stage1_2", ["compressor", "generator"], "instruction", 6],
    ["rate8/stage2", ["compressor", "generator", "query"], "endToEnd", 6],
    ["rate8/stage2-bf16", ["compressor", "generator", "query"], "endToEnd", 6],
    ["rate20/stage1", ["compressor", "generator"], "compression", 2],
  ] as const)("are the same when loaded, saved and loaded again: %s", (folder, roles, stage, memoryTokens) => {
    const first = load(folder);
    expect(Object.keys(first.adapters)).toEqual(roles);
    expect(first.config).toMatchObject({ stage, rank: 8, documentTokens: 48 });
    expect(first.tables["lm_head.weight"]!.shape).toEqual([659 + memoryTokens + 3, 64]);
    const files = writeReferenceCheckpoint(first, { base: "base" });
    const again = readReferenceCheckpoint({
      config: JSON.parse(new TextDecoder().decode(files["config.json"])),
      adapters: files["adapters.pth"],
      tables: files["decoder_first_last_layers.pth"],
    });
    expect(again).toEqual(first);
    expect(writeReferenceCheckpoint(again, { base: "base" })).toEqual(files);
  });

  it("have the names, shapes and order that the reference's files have, copies of the tables left out", () => {
    for (const folder of ["rate8/stage1", "rate8/stage2"]) {
      const theirs = Object.entries(readTorchFile(bytes(`checkpoints/${folder}/adapters.pth`)));
      const ours = readTorchFile(writeReferenceCheckpoint(load(folder), { base: "base" })["adapters.pth"]);
      expect(Object.entries(ours)).toEqual(theirs.filter(([name]) => name.includes("lora_")));
    }
  });

  it("have a config.json with every field that the reference writes", () => {
    const theirs = JSON.parse(bytes("checkpoints/rate8/stage2/config.json").toString());
    const ours = referenceConfig(parseReferenceConfig(theirs), { base: "base" });
    const { _attn_implementation_autoset, transformers_version, ...expected } = theirs;
    expect(Object.keys(ours).sort()).toEqual(Object.keys(expected).sort());
    const ignored = { attn_implementation: null, compr_base_model_name: "base", pure_inference: true };
    expect(ours).toEqual({ ...expected, ...ignored });
  });

  it("go through our paths and back unchanged", () => {
    const decoder = parseDecoderConfig(JSON.parse(bytes("base/config.json").toString()));
    for (const adapter of Object.values(load("rate8/stage2").adapters)) {
      const back = adapterWeights(adapterArrays(adapter, decoder), decoder);
      expect(Object.keys(back).sort()).toEqual(Object.keys(adapter).sort());
      for (const [name, { shape, data }] of Object.entries(back))
        expect({ shape, data }).toMatchObject({ ...bare(adapter[name]!) });
    }
  });

  const bare = ({ shape, data }: { shape: readonly number[]; data: Float32Array }) => ({ shape, data });

  it("are refused with another base model or another rate", () => {
    const files = (config: object) => ({
      config,
      adapters: bytes("checkpoints/rate8/stage1/adapters.pth"),
      tables: bytes("checkpoints/rate8/stage1/decoder_first_last_layers.pth"),
    });
    const config = JSON.parse(bytes("checkpoints/rate8/stage1/config.json").toString());
    expect(() => readReferenceCheckpoint(files(config), { vocabulary: 32_000 })).toThrow(
      "the tables have 668 rows, expected 32009 (32000 of the base model, 6 memory tokens and 3 more)",
    );
    expect(() => readReferenceCheckpoint(files({ ...config, compr_rate: 20 }), { vocabulary: 659 })).toThrow(
      "expected 664",
    );
    const other = { ...files(config), tables: bytes("checkpoints/rate20/stage1/decoder_first_last_layers.pth") };
    expect(() => readReferenceCheckpoint(other)).toThrow("are the files of one checkpoint?");
  });
});

describe("a checkpoint of our own", () => {
  const config: ReferenceConfig = { stage: "instruction", documentTokens: 8, rate: 4, rank: 1, documents: 5 };
  const matrix = (...shape: [number, number]) => ({ shape, data: new Float32Array(shape[0] * shape[1]).fill(1 / 3) });
  const adapter = { "model.layers.0.q.lora_A.weight": matrix(1, 2), "model.layers.0.q.lora_B.weight": matrix(2, 1) };
  const tables = { "model.embed_tokens.weight": matrix(9, 2), "lm_head.weight": matrix(9, 2) };
  const checkpoint: ReferenceCheckpoint = { config, adapters: { compressor: adapter, generator: adapter }, tables };
  const write = (changes: Partial<ReferenceCheckpoint>, dtype?: "BF16") =>
    writeReferenceCheckpoint({ ...checkpoint, ...changes }, { base: "b", ...(dtype && { dtype }) });

  it("is written as bfloat16 when asked", () => {
    const read = readTorchFile(write({}, "BF16")["adapters.pth"]);
    expect(Object.keys(read)[0]).toBe("decoder_adapter/model.layers.0.q.lora_A.weight");
    for (const { dtype, data } of Object.values(read)) expect([dtype, data[0]]).toEqual(["BF16", 0.333984375]);
  });

  it("is refused where its parts do not fit together", () => {
    const refuse = (changes: Partial<ReferenceCheckpoint>, message: string): void => {
      expect(() => write(changes)).toThrow(ClaraError);
      expect(() => write(changes)).toThrow(message);
    };
    refuse({ config: { ...config, rank: 2 } }, "has rank 1, config.json says lora_r 2");
    refuse({ tables: { "lm_head.weight": matrix(9, 2) } }, "must have model.embed_tokens.weight and lm_head.weight");
    refuse({ tables: { ...tables, "lm_head.weight": matrix(8, 2) } }, "of one shape, got [9, 2] and [8, 2]");
    refuse({ adapters: { compressor: { strange: matrix(1, 1) } } }, "which is no LoRA matrix");
  });

  it("is refused when a file holds something else", () => {
    const files = write({});
    const read =
      (adapters: Record<string, ReturnType<typeof matrix>>, json: object = referenceConfig(config, { base: "b" })) =>
      () =>
        readReferenceCheckpoint({
          config: json,
          adapters: writeTorchFile(adapters),
          tables: files["decoder_first_last_layers.pth"],
        });
    expect(read({ "other_adapter/x": matrix(1, 1) })).toThrow('has "other_adapter/x"; adapters are encoder_adapter');
    expect(read({ "decoder_adapter/x.lora_A.weight": matrix(1, 1) })).toThrow("has no encoder_adapter");
    for (const [changes, message] of [
      [{ training_stage: "stage9" }, 'training_stage must be one of stage1, stage1_2, stage2, got "stage9"'],
      [{ compr_rate: 0 }, "compr_rate must be a whole number above 0, got 0"],
      [{ compr_rate: 100 }, "leaves no memory token of 8 tokens"],
      [{ sep: false }, "sep must be true, got false"],
    ] as const) {
      expect(read({}, { ...referenceConfig(config, { base: "b" }), ...changes })).toThrow(message);
    }
    expect(() => parseReferenceConfig([])).toThrow("config.json: it must be an object");
  });

  it("may lack adapters of later stages", () => {
    const files = write({ adapters: { compressor: adapter } });
    const { adapters } = readReferenceCheckpoint({
      config: referenceConfig(config, { base: "b" }),
      adapters: files["adapters.pth"],
      tables: files["decoder_first_last_layers.pth"],
    });
    expect(Object.keys(adapters) as Role[]).toEqual(["compressor"]);
  });
});
