import type { DecoderTokenizerFiles } from "./decoder-tokenizer.ts";

/** A byte-level-fallback BPE with a space mark and six words, in the form of Llama's and Mistral's files. */
export const tinyTokenizer: DecoderTokenizerFiles = {
  tokenizer: {
    version: "1.0",
    added_tokens: ["<unk>", "<s>", "</s>"].map((content, id) => ({
      ...{ id, content, special: true, normalized: false, lstrip: false, rstrip: false, single_word: false },
    })),
    normalizer: null,
    pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "first", split: false },
    post_processor: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    model: {
      type: "BPE",
      unk_token: "<unk>",
      fuse_unk: true,
      byte_fallback: true,
      // 0-2 special, 3-258 bytes, 259 … letters and merges; "<s>" can be merged from its letters.
      vocab: Object.fromEntries(
        [
          ...["<unk>", "<s>", "</s>"],
          ...Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`),
          ...["▁", "a", "b", "c", "<", "s", ">", "▁a", "ab", "s>"],
        ].map((piece, id) => [piece, id]),
      ),
      merges: ["▁ a", "a b", "s >", "< s>"].map((pair) => pair.split(" ")),
    },
  },
  config: { bos_token: "<s>", eos_token: { content: "</s>" }, clean_up_tokenization_spaces: false },
};
