import { ClaraError } from "@clara/core";
import { describe, expect, it } from "vitest";
import { claraTokenizer } from "./clara-tokenizer.ts";
import { decoderTokenizer } from "./decoder-tokenizer.ts";
import { tinyTokenizer } from "./tiny-tokenizer.testing.ts";

// Pieces by hand: ▁ 259, a 260, b 261, c 262, < 263, s 264, > 265, ▁a 266, ab 267, s> 268; bytes are 3 + byte.
const byte = (text: string): number[] => [...new TextEncoder().encode(text)].map((value) => 3 + value);

describe("decoderTokenizer", () => {
  const tokenizer = decoderTokenizer({ ...tinyTokenizer, added: ["<X>", "<XY>"] });

  it("adds tokens behind the vocabulary and reads them in texts, the longest first", () => {
    expect([tokenizer.tokenId("<X>"), tokenizer.tokenId("<XY>"), tokenizer.size]).toEqual([269, 270, 271]);
    expect(tokenizer.encode("a<XY>a<X>")).toEqual([266, 270, 260, 269]);
  });

  it("puts a space mark before the text, not before what follows a special token", () => {
    expect(tokenizer.encode("a")).toEqual([266]);
    expect(tokenizer.encode("<X>a b")).toEqual([269, 260, 259, 261]);
    expect(tokenizer.encode("")).toEqual([]);
  });

  it("keeps the ids of tokens that the files already have", () => {
    const again = decoderTokenizer({ ...tinyTokenizer, added: ["</s>", "<X>"] });
    expect([again.tokenId("</s>"), again.tokenId("<X>"), again.size]).toEqual([2, 269, 270]);
  });

  it("falls back to bytes, and gives one replacement for each byte of a broken run", () => {
    expect(tokenizer.encode("é")).toEqual([259, ...byte("é")]);
    expect(tokenizer.decode(tokenizer.encode("é ab"))).toBe("é ab");
    expect(tokenizer.decode([260, 3 + 0xc3, 3 + 0x41, 260])).toBe("a��a");
  });

  it("keeps U+FEFF wherever it stands in a run of bytes", () => {
    for (const text of ["\ufeff", "\ufeff\ufeffé", "é\ufeff"]) {
      expect(tokenizer.decode([260, ...byte(text), 260, ...byte(text)])).toBe(`a${text}a${text}`);
    }
  });

  it("leaves special tokens out of decoded text unless they are asked for, and unknown ids always", () => {
    expect(tokenizer.decode([1, 266, 269, 9999, -1])).toBe("a");
    expect(tokenizer.decode([1, 266, 269], { special: true })).toBe("<s> a<X>");
    expect(tokenizer.decode([])).toBe("");
  });

  it("reads literal text as letters, also where letters merge to a special token", () => {
    expect(tokenizer.encode(tokenizer.literal("<s>"))).toEqual([259, ...byte("<s>")]);
    expect(tokenizer.decode(tokenizer.encode(tokenizer.literal("<<s>s>a<XY></s>")))).toBe("<<s>s>a<XY></s>");
    expect(tokenizer.encode(`<X>${tokenizer.literal("<X>")}`)).toEqual([269, 263, ...byte("X"), 265]);
  });

  it("replaces what is no Unicode, so that no text can pose as a special token", () => {
    const forged = tokenizer.literal("\udc00X>");
    expect(tokenizer.decode(tokenizer.encode(forged))).toBe("\ufffdX>");
    expect(tokenizer.encode("\udc00X>")).not.toContain(269);
  });

  it("cuts at the limit, and long texts before they cost anything", () => {
    expect(tokenizer.encode("a b c a b c", { limit: 3 })).toEqual([266, 259, 261]);
    const long = "a b c ".repeat(2_000_000);
    expect(tokenizer.encode(`<X>${long}<X>`, { limit: 1000 })).toEqual(
      tokenizer.encode(`<X>${long.slice(0, 6000)}`).slice(0, 1000),
    );
  });

  it("refuses files that are something else", () => {
    const refuse = (file: unknown, message: string): void => {
      expect(() => decoderTokenizer({ tokenizer: file })).toThrow(ClaraError);
      expect(() => decoderTokenizer({ tokenizer: file })).toThrow(message);
    };
    refuse(null, "must be an object with a model");
    refuse({ model: { vocab: [["a", 0]] } }, "model must be BPE with a vocab");
    refuse({ model: { type: "Nothing", vocab: { a: 0 } } }, 'got "Nothing"');
    refuse({ model: { type: "BPE", vocab: { a: 0 } } }, "cannot be read");
    refuse({ model: { type: "BPE", vocab: { a: 0 } }, added_tokens: [{ id: "x" }] }, "an id and a content");
  });
});

describe("claraTokenizer", () => {
  const tokenizer = claraTokenizer({ ...tinyTokenizer, memoryTokens: 2 });

  it("adds memory tokens, <AE>, <ENC> and <SEP> in this order", () => {
    const ids = ["<MEM0>", "<MEM1>", "<AE>", "<ENC>", "<SEP>"].map((name) => tokenizer.tokenId(name));
    expect(ids).toEqual([269, 270, 271, 272, 273]);
    expect(tokenizer.places(2)).toBe("<MEM0><MEM1><SEP><MEM0><MEM1><SEP>");
    expect([tokenizer.firstMemoryId, tokenizer.padId, tokenizer.eosId]).toEqual([269, 1, 2]);
  });

  it("makes rows of a text between its tokens, cut at its end", () => {
    expect(tokenizer.row("ab", 4)).toEqual([272, 1, 267, 2, 269, 270]);
    expect(tokenizer.row("c c c c", 2)).toEqual([272, 1, 262, 259, 262, 269, 270]);
    expect(tokenizer.row("", 2)).toEqual([272, 1, 2, 269, 270]);
    expect(tokenizer.row("</s>", 9)).toEqual([272, 1, 263, ...byte("/"), 268, 2, 269, 270]);
  });

  it("begins a row with the first additional token where the files name none that begins a text, as Qwen's", () => {
    const row = (config: object): number[] =>
      claraTokenizer({ ...tinyTokenizer, config, memoryTokens: 2 }).row("ab", 4);
    const qwen = { bos_token: null, eos_token: "</s>", additional_special_tokens: ["<unk>", "</s>"] };
    expect(row(qwen)).toEqual([272, 0, 267, 2, 269, 270]);
    expect(row({ ...qwen, bos_token: "<s>" })).toEqual(tokenizer.row("ab", 4));
    expect(row({ eos_token: "</s>" })).toEqual([272, 267, 2, 269, 270]);
  });

  it("refuses impossible counts and models without an end", () => {
    expect(() => claraTokenizer({ ...tinyTokenizer, memoryTokens: 0 })).toThrow("1 to 4096, got 0");
    expect(() => claraTokenizer({ tokenizer: tinyTokenizer.tokenizer, memoryTokens: 1 })).toThrow("no eos_token");
  });
});
