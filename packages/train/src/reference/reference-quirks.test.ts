import { writeTorchFile } from "@clara/model";
import { describe, expect, it } from "vitest";
import { parseReferenceConfig, type ReferenceConfig, referenceConfig } from "./checkpoint-config.ts";
import { type ReferenceCheckpoint, readReferenceCheckpoint, writeReferenceCheckpoint } from "./checkpoint-files.ts";

const config: ReferenceConfig = { stage: "instruction", documentTokens: 8, rate: 4, rank: 1, documents: 5 };
const matrix = (value: number, ...shape: [number, number]) => ({
  shape,
  data: new Float32Array(shape[0] * shape[1]).fill(value),
});
const adapter = (value: number) => ({
  "model.layers.0.q.lora_A.weight": matrix(value, 1, 2),
  "model.layers.0.q.lora_B.weight": matrix(value, 2, 1),
});
// Four words, two memory tokens, <AE>, <ENC>, <SEP>.
const tables = { "model.embed_tokens.weight": matrix(0.25, 9, 2), "lm_head.weight": matrix(0.5, 9, 2) };
const checkpoint: ReferenceCheckpoint = {
  config,
  adapters: { compressor: adapter(1), generator: adapter(2), query: adapter(3) },
  tables,
};
const files = writeReferenceCheckpoint(checkpoint, { base: "b" });
const shipped = { adapters: files["adapters.pth"], tables: files["decoder_first_last_layers.pth"] };
/** As published files are: with what makes the reference drop adapters. */
const published = { ...referenceConfig(config, { base: "b" }), pure_inference: false };

describe("where the reference differs", () => {
  it.each(["stage1", "stage1_2", "stage2"])(
    "reads every adapter that is in the file of a %s checkpoint, where the reference drops those that the stage would make anew",
    (training_stage) => {
      const { adapters } = readReferenceCheckpoint({ ...shipped, config: { ...published, training_stage } });
      expect(Object.keys(adapters)).toEqual(["compressor", "generator", "query"]);
      expect(adapters.generator!["model.layers.0.q.lora_B.weight"]!.data[0]).toBe(2);
    },
  );

  it("writes config.json so that the reference keeps the generator of a stage1_2 checkpoint too, which it drops as published", () => {
    expect(JSON.parse(new TextDecoder().decode(files["config.json"]))).toMatchObject({
      training_stage: "stage1_2",
      pure_inference: true,
    });
  });

  it("takes no base model from config.json, where the reference follows a path of the machine that the file was made on", () => {
    const elsewhere = { ...published, decoder_model_name: "/mnt/somewhere/model", compr_base_model_name: "/mnt/else" };
    expect(parseReferenceConfig(elsewhere)).toEqual(config);
    const { decoder_model_name: _, compr_base_model_name: __, ...without } = elsewhere;
    expect(parseReferenceConfig(without)).toEqual(config);
  });

  it("refuses another rate or length than the tables were made for, where the reference ignores the one and breaks off on the other", () => {
    const read = (changes: object) => () =>
      readReferenceCheckpoint({ ...shipped, config: { ...published, ...changes } }, { vocabulary: 4 });
    expect(read({})().config).toEqual(config);
    expect(read({ compr_rate: 2 })).toThrow("the tables have 9 rows, expected 11");
    expect(read({ doc_max_length: 16 })).toThrow("the tables have 9 rows, expected 11");
  });

  it("refuses a checkpoint without separators or with one memory token for all, which the reference reads and places askew", () => {
    expect(() => parseReferenceConfig({ ...published, sep: false })).toThrow("sep must be true, got false");
    expect(() => parseReferenceConfig({ ...published, different_mem_tokens: false })).toThrow(
      "different_mem_tokens must be true, got false",
    );
  });

  it("has a head for a base that has none of its own, where the reference stores one table", () => {
    const { "lm_head.weight": _, ...words } = tables;
    const one = { ...shipped, tables: writeTorchFile(words), config: published };
    const read = readReferenceCheckpoint(one, { vocabulary: 4, tiedHead: true });
    expect(read.tables["lm_head.weight"]).toEqual(read.tables["model.embed_tokens.weight"]);
    expect(() => readReferenceCheckpoint(one, { vocabulary: 4 })).toThrow(
      "must have model.embed_tokens.weight and lm_head.weight",
    );
    expect(readReferenceCheckpoint({ ...one, tables: shipped.tables }, { tiedHead: true }).tables).toEqual(
      readReferenceCheckpoint({ ...one, tables: shipped.tables }).tables,
    );
  });

  it("leaves out the copies of the tables that the reference adds to some adapters", () => {
    const copies = Object.entries(tables).map(([name, table]) => [`encoder_adapter/${name}`, table]);
    const own = Object.entries(adapter(1)).map(([name, tensor]) => [`encoder_adapter/${name}`, tensor]);
    const adapters = writeTorchFile(Object.fromEntries([...copies, ...own]));
    const read = readReferenceCheckpoint({ ...shipped, adapters, config: published });
    expect(Object.keys(read.adapters.compressor!)).toEqual(Object.keys(adapter(1)));
  });
});
