import { rmSync, writeFileSync } from "node:fs";
import type { Weights } from "@clara/core";
import { describe, expect, it } from "vitest";
import {
  tinyAdapters,
  tinyBase,
  tinyConfigFile,
  tinyTables,
  tinyTokenizerFile,
  writeTinyBase,
  writeTinyCheckpoint,
} from "./tiny-checkpoint.testing.ts";
import { at, json, look } from "./tiny-folders.testing.ts";

describe("what is imported all the same", () => {
  it("has fields that nobody knows, and they are listed", async () => {
    json("checkpoint/config.json", { shiny: 1 });
    json("base/config.json", { novelty: true });
    const { decoder, checkpoint } = await look();
    expect([decoder.unknownFields, checkpoint!.unknownFields]).toEqual([["novelty"], ["shiny"]]);
  });

  it("has the checkpoint's form of the tokenizer where that is the same vocabulary, and else the base's", async () => {
    const { normalizer: _, ...rest } = tinyTokenizerFile;
    const metaspace = { ...rest, pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "first" } };
    writeFileSync(at("checkpoint/tokenizer.json"), JSON.stringify(metaspace));
    const own = await look();
    expect(JSON.parse(new TextDecoder().decode(own.tokenizer.tokenizer))).toEqual(metaspace);
    expect(own.tokenizer.notes[0]).toContain("with the same vocabulary; it is used");
    const vocab = { ...tinyTokenizerFile.model.vocab, q: 0 };
    writeFileSync(at("checkpoint/tokenizer.json"), JSON.stringify({ ...rest, model: { ...rest.model, vocab } }));
    const base = await look();
    expect(JSON.parse(new TextDecoder().decode(base.tokenizer.tokenizer))).toEqual(tinyTokenizerFile);
    expect(base.tokenizer.notes[0]).toContain("has another vocabulary than the base model's, which is used");
  });

  it("has the checkpoint's chat template, and a difference is said", async () => {
    writeFileSync(at("checkpoint/chat_template.jinja"), "{{ messages[0].content }}!");
    const { tokenizer } = await look();
    expect(tokenizer.template).toBe("{{ messages[0].content }}!");
    expect(tokenizer.notes.join()).toContain("writes other prompts than the base model's");
    rmSync(at("checkpoint/chat_template.jinja"));
    json("base/tokenizer_config.json", { chat_template: undefined });
    await expect(look()).rejects.toThrow("there is no chat template, here or in the base");
  });

  it("has copies of the tables beside its adapters, or fewer adapters than its stage", async () => {
    const copies = Object.entries(tinyTables()).map(([name, table]) => [`encoder_adapter/${name}`, table]);
    writeTinyCheckpoint(at("checkpoint"), {
      adapters: { ...tinyAdapters(["compressor"]), ...Object.fromEntries(copies) },
    });
    const { clara, files } = await look();
    expect(clara!.adapters).toEqual(["compressor"]);
    expect(files[1]!.parts).toHaveLength(2 * 7 * 2);
  });

  it("has one table for words and head where the base has", async () => {
    const tied = { ...tinyConfigFile, model_type: "qwen2", tie_word_embeddings: true };
    writeTinyBase(at("tied"), tied);
    const tables = tinyTables(tinyBase(tied));
    const words = tables["model.embed_tokens.weight"]!;
    writeTinyCheckpoint(at("checkpoint"), {
      adapters: tinyAdapters(undefined, tied),
      tables: { "model.embed_tokens.weight": words, "lm_head.weight": words },
    });
    const tablesOf = ({ files }: Awaited<ReturnType<typeof look>>) =>
      files[0]!.parts
        .filter(({ name }) => name === "words" || name === "head")
        .map(({ tensors }) => tensors.map(({ name }) => name));
    // In few bits the head is a copy.
    const both = [["words"], ["head.packed", "head.scales"]];
    expect(tablesOf(await look("checkpoint", "tied"))).toEqual(both);
    // The reference stores it once.
    const once = { "model.embed_tokens.weight": words };
    writeTinyCheckpoint(at("checkpoint"), { adapters: tinyAdapters(undefined, tied), tables: once });
    expect(tablesOf(await look("checkpoint", "tied"))).toEqual(both);
    writeTinyCheckpoint(at("checkpoint"), { tables: once });
    await expect(look("checkpoint")).rejects.toThrow(/has no lm_head\.weight/);
    writeTinyCheckpoint(at("checkpoint"), { adapters: tinyAdapters(undefined, tied), tables });
    await expect(look("checkpoint", "tied")).rejects.toThrow(/lm_head\.weight: 5 of the 296 rows/);
  });

  it("has the rows of the tokens that there are, where the base's table is longer than its tokenizer", async () => {
    const longer = { ...tinyConfigFile, vocab_size: (tinyConfigFile.vocab_size as number) + 10 };
    writeTinyBase(at("longer"), longer);
    // As the reference leaves it: cut to the tokenizer, and the added tokens behind that.
    const cut = Object.entries(tinyBase(longer)).map(([name, { shape, data }]): [string, Weights[string]] => {
      if (shape[0] !== longer.vocab_size) return [name, { shape, data }];
      const kept = [shape[0] - 10, shape[1]!];
      return [name, { shape: kept, data: data.slice(0, kept[0]! * kept[1]!) }];
    });
    writeTinyCheckpoint(at("checkpoint"), { tables: tinyTables(Object.fromEntries(cut)) });
    const { rows, files } = await look("checkpoint", "longer");
    expect(rows).toBe(296);
    const words = files[0]!.parts.find(({ name }) => name === "words")!;
    expect(words.tensors[0]!.shape).toEqual([296, 32]);
  });

  it("is a decoder of each family, without adapters", async () => {
    for (const family of [
      { model_type: "llama" },
      { model_type: "qwen2", tie_word_embeddings: true },
      { model_type: "qwen3", head_dim: 24 },
    ]) {
      writeTinyBase(at("own"), { ...tinyConfigFile, ...family });
      const { kind, files, whole } = await look("own", "");
      expect([kind, files.length]).toEqual(["decoder", 1]);
      // Rows of 48 numbers are no whole blocks of 32.
      expect(whole.length).toBe(family.model_type === "qwen3" ? 2 : 0);
    }
  });
});
