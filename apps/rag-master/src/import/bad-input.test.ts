import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { ClaraError } from "@clara/core";
import { readSafetensors, type SafeTensor, writeSafetensors } from "@clara/model";
import { describe, expect, it } from "vitest";
import { inspect } from "./inspect.ts";
import { runImport } from "./run-import.ts";
import {
  tinyAdapters,
  tinyBase,
  tinyClaraConfig,
  tinyConfigFile,
  tinyTables,
  tinyTokenizerFile,
  writeTinyBase,
  writeTinyCheckpoint,
} from "./tiny-checkpoint.testing.ts";
import { at, json, look } from "./tiny-folders.testing.ts";

const shards = ["base/model-00001-of-00002.safetensors", "base/model-00002-of-00002.safetensors"] as const;
const shard = shards[1];
const adaptersFile = "checkpoint/adapters.pth";

/** It is refused with this message, as an error of ours, and in less memory than any of the sizes that it may declare. */
async function refused(message: string | RegExp, path?: string, base?: string): Promise<void> {
  const before = process.memoryUsage().arrayBuffers;
  const error = await look(path, base).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(ClaraError);
  const { message: said } = error as ClaraError;
  if (typeof message === "string") expect(said).toContain(message);
  else expect(said).toMatch(message);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50_000_000);
}

const tensors = (change: Record<string, Partial<SafeTensor> | undefined>, file: string = shard): void => {
  const all: Record<string, SafeTensor> = { ...readSafetensors(readFileSync(at(file))).tensors };
  for (const [name, other] of Object.entries(change)) {
    if (other) all[name] = { ...all[name]!, ...other };
    else delete all[name];
  }
  writeFileSync(at(file), writeSafetensors(all));
};

/** A torch file with other words of the same length in its pickle, the first entry, and a checksum that is right again. */
function withPickle(file: Buffer, from: string, to: string): Buffer {
  const out = Buffer.from(file.toString("latin1").replace(from, to), "latin1");
  const start = 30 + out.readUInt16LE(26) + out.readUInt16LE(28);
  const crc = crc32(out.subarray(start, start + out.readUInt32LE(22)));
  out.writeUInt32LE(crc, 14);
  out.writeUInt32LE(crc, out.indexOf("PK\x01\x02", 0, "latin1") + 16);
  return out;
}

describe("a base that cannot be imported", () => {
  it("is refused with a shard missing, cut, or without its tensors", async () => {
    const query = "model.layers.1.self_attn.q_proj.weight";
    tensors({ [query]: undefined });
    await refused(`has no "${query}", which model.safetensors.index.json says is there`);
    truncateSync(at(shard), 3000);
    await refused(/model-00002-of-00002\.safetensors: the file is cut: expected \d+ bytes, found 3000/);
    rmSync(at(shard));
    await refused("model-00002-of-00002.safetensors missing, of the 2 that model.safetensors.index.json names");
  });

  it("is refused with a wrong shape, or numbers of another kind", async () => {
    const name = "model.layers.1.mlp.up_proj.weight";
    tensors({ [name]: { dtype: "I8", shape: [64, 32], bytes: new Uint8Array(64 * 32) } });
    await refused(`${name}: must be F32, F16 or BF16, got I8; weights that are quantised already cannot be imported`);
    tensors({ [name]: { dtype: "F32", shape: [32, 64], bytes: new Uint8Array(4 * 32 * 64) } });
    await refused(`${name}: must be [64, 32], got [32, 64]; are config.json and the weights of one model?`);
  });

  it("is refused with a header that promises what is not there", async () => {
    const header = JSON.stringify({ x: { dtype: "F32", shape: [2_500_000_000], data_offsets: [0, 10_000_000_000] } });
    const bytes = Buffer.alloc(1000, 32);
    bytes.writeBigUInt64LE(BigInt(header.length));
    bytes.write(header, 8);
    writeFileSync(at(shard), bytes);
    await refused(/the file is cut: expected 100000\d+ bytes, found 1000/);
    bytes.writeBigUInt64LE(10_000_000_000n);
    writeFileSync(at(shard), bytes);
    await refused("the header says it is 10000000000 bytes long");
  });

  it("is refused with sizes that no model has", async () => {
    for (const [name, value] of [
      ["num_hidden_layers", 1e9],
      ["head_dim", 1e12],
      ["vocab_size", 1e12],
      ["hidden_size", 1e9],
    ] as const) {
      json("base/config.json", { ...tinyConfigFile, [name]: value });
      await refused(new RegExp(`config.json: .*${name} must be at most \\d+, got ${value}`));
      writeFileSync(at("base/config.json"), JSON.stringify(tinyConfigFile));
    }
    json("base/config.json", { hidden_size: 64 });
    await refused(/must be \[\d+, 64\], got \[\d+, 32\]/);
    json("base/config.json", { ...tinyConfigFile, num_hidden_layers: 3 });
    await refused("there is no tensor model.layers.2.input_layernorm.weight");
  });

  it("is refused without what a tokenizer needs", async () => {
    json("base/tokenizer_config.json", { eos_token: null });
    await refused("tokenizer_config.json: names no eos_token of the vocabulary");
    json("base/tokenizer_config.json", { eos_token: "</s>" });
    const { "<0xFF>": _, ...vocab } = tinyTokenizerFile.model.vocab;
    json("base/tokenizer.json", { model: { ...tinyTokenizerFile.model, vocab: { ...vocab, more: 900 } } });
    await refused(/the tables have 296 rows, and the base's tokenizer with 2 memory tokens and 3 more has \d+ tokens/);
    json("base/tokenizer.json", { model: { type: "Unigram" } });
    await refused("tokenizer.json: model must be BPE with a vocab");
    writeFileSync(at("base/tokenizer.json"), "{");
    await refused("tokenizer.json: is not JSON");
    rmSync(at("base/tokenizer.json"));
    await refused("tokenizer.json: no such file");
  });

  it("is refused with numbers that are none, by the tensor's name", async () => {
    const nothing = (count: number) => new Uint8Array(new Float32Array(count).fill(Number.NaN).buffer);
    const down = "model.layers.1.mlp.down_proj.weight";
    tensors({ [down]: { dtype: "F32", bytes: nothing(64 * 32) } });
    for (const precision of ["float32", "int4"] as const) {
      const inspected = inspect(at("checkpoint"), { base: at("base"), precision });
      await expect(runImport(inspected, at(precision))).rejects.toThrow(
        `${down}: number 0 is NaN; weights must be finite`,
      );
      inspected.close();
      expect(existsSync(at(`${precision}/config.json`))).toBe(false);
    }
    tensors({ "lm_head.weight": { dtype: "F32", bytes: nothing(291 * 32) } }, shards[0]);
    await refused("lm_head.weight: number 0 is NaN");
  });
});

describe("a checkpoint that cannot be imported", () => {
  it("is refused without a base, and a decoder with one", async () => {
    await expect(look("checkpoint", "")).rejects.toMatchObject({
      code: "option",
      message: expect.stringContaining("name the base's folder by --base DIR (its config.json names a/base)"),
    });
    await refused("is a decoder itself; leave --base out", "base", "base");
    await refused("is a CLaRa checkpoint too; name the folder of the model", "checkpoint", "checkpoint");
    await refused(/base2: no such folder/, "checkpoint", "base2");
    await refused(
      /no such file, so this is no model's folder; there is one in base, checkpoint: name that folder/,
      ".",
    );
  });

  it("is refused on another base: other sizes, other vocabulary, other rows", async () => {
    writeTinyBase(at("wide"), { ...tinyConfigFile, intermediate_size: 96 });
    await refused(
      /mlp\.gate_proj\.lora_B\.weight: must be \[96, 2\], got \[64, 2\]; .* made for another base model\?/,
      "checkpoint",
      "wide",
    );
    writeTinyBase(at("short"), { ...tinyConfigFile, vocab_size: 280 });
    await refused(
      "has 296 rows, expected 285 (280 of the base model, 2 memory tokens and 3 more)",
      "checkpoint",
      "short",
    );
    writeTinyBase(at("shallow"), { ...tinyConfigFile, num_hidden_layers: 1 });
    await refused(
      "which is no matrix of an adapter of this base (1 layers); was it made for another?",
      "checkpoint",
      "shallow",
    );
    const other = tinyBase();
    other["model.embed_tokens.weight"]!.data[17 * 32 + 3]! += 1;
    other["model.embed_tokens.weight"]!.data[40 * 32]! += 0.5;
    writeTinyCheckpoint(at("foreign"), { tables: tinyTables(other) });
    await refused(
      /model\.embed_tokens\.weight: 2 of the 291 rows .* differ from .*base: model\.embed_tokens\.weight \(row 17 first, by up to 1\.0\): the adapters were made for another base model/,
      "foreign",
    );
  });

  it("is refused with an adapter missing, of another rank or stranger", async () => {
    writeTinyCheckpoint(at("checkpoint"), { adapters: tinyAdapters(["generator"]) });
    await refused("adapters.pth: has no encoder_adapter");
    const { [Object.keys(tinyAdapters())[0]!]: _, ...cut } = tinyAdapters();
    writeTinyCheckpoint(at("checkpoint"), { adapters: cut });
    await refused("decoder_adapter has no model.layers.0.self_attn.q_proj.lora_A.weight");
    writeTinyCheckpoint(at("checkpoint"), { config: { ...tinyClaraConfig, lora_r: 4 } });
    await refused("must be [4, 32], got [2, 32]; by lora_r 4");
    const strange = { "other/x": { shape: [1], data: new Float32Array(1) } };
    writeTinyCheckpoint(at("checkpoint"), { adapters: { ...tinyAdapters(), ...strange } });
    await refused('has "other/x"; adapters are encoder_adapter, decoder_adapter, query_reasoner_adapter');
  });

  it("is refused with files that are cut, hostile or missing", async () => {
    const whole = readFileSync(at(adaptersFile));
    truncateSync(at(adaptersFile), whole.length - 500);
    await refused(/adapters\.pth: .*(zip|cut|missing)/);
    writeFileSync(
      at(adaptersFile),
      withPickle(whole, "torch._utils\n_rebuild_tensor_v2", "subprocess\ncheck_output________"),
    );
    await refused('adapters.pth: data.pkl names "subprocess.check_output________"');
    // The list of entries promises 10 GB in a file of 1 kB.
    const liar = Buffer.from(whole.subarray(0, 1000));
    liar.write("PK\x05\x06", 978, "latin1");
    liar.writeUInt32LE(0xffffff00, 978 + 12);
    writeFileSync(at(adaptersFile), liar);
    await refused("does not fit into 1000 bytes");
    rmSync(at(adaptersFile));
    rmSync(at("checkpoint/decoder_first_last_layers.pth"));
    await refused("adapters.pth and decoder_first_last_layers.pth missing; copy the checkpoint again, whole");
  });

  it("is refused with a config that is none, or has sizes that cannot be", async () => {
    json("checkpoint/config.json", { doc_max_length: 1e15, compr_rate: 1 });
    await refused("makes 1000000000000000 memory tokens; at most 4096 can be");
    json("checkpoint/config.json", { doc_max_length: 8, compr_rate: 2 });
    await refused(/has 298 tokens; is --base the right model, .* and compr_rate that of these files\?/);
    json("checkpoint/config.json", { sep: false });
    await refused("sep must be true, got false");
    writeFileSync(at("checkpoint/config.json"), "[]");
    await refused("config.json: must be a JSON object");
    writeFileSync(at("checkpoint/config.json"), Buffer.alloc(2_000_000, 32));
    await refused("has 2000000 bytes, more than 1000000");
  });
});
