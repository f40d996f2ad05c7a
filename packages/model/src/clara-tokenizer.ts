import { ClaraError } from "@clara/core";
import { type DecoderTokenizer, type DecoderTokenizerFiles, decoderTokenizer } from "./decoder-tokenizer.ts";

/** A decoder's tokenizer with the tokens that CLaRa adds to its vocabulary. */
export interface ClaraTokenizer extends DecoderTokenizer {
  /** `M` of a document. Their ids are `firstMemoryId` … `firstMemoryId + M - 1`. */
  readonly memoryTokens: number;
  readonly firstMemoryId: number;
  readonly padId: number;
  readonly eosId: number;
  /** The places of `count` documents in a prompt, each with its separator: `<MEM0>…<MEM5><SEP>`. */
  places(count: number): string;
  /**
   * A document or question as the compressor reads it: `<ENC><s>text</s>` of at most `tokens + 3` ids, and the memory
   * tokens. A longer text loses its end, and the `</s>` with it. No padding.
   */
  row(text: string, tokens: number): number[];
}

export interface ClaraTokenizerFiles extends Omit<DecoderTokenizerFiles, "added"> {
  /** `M`, of a document: its longest length in tokens divided by the rate, rounded down. */
  readonly memoryTokens: number;
}

/**
 * The tokenizer of a CLaRa on a decoder: `<MEM0>` …, `<AE>`, `<ENC>`, `<SEP>`, in this order, behind the vocabulary. Give
 * it the files of the base model: those in a checkpoint of the reference lack the added tokens. Where they name no token that
 * begins a text, as Qwen's, it is the first of `additional_special_tokens`, `<|im_start|>`, as in the reference.
 *
 * @throws ClaraError "option" for an impossible count, "weights" for files without an end token or that cannot be read.
 * @see He et al. 2025, "CLaRa", section 2. https://arxiv.org/abs/2511.18659
 */
export function claraTokenizer({ memoryTokens, tokenizer: file, config }: ClaraTokenizerFiles): ClaraTokenizer {
  if (!Number.isInteger(memoryTokens) || memoryTokens < 1 || memoryTokens > 4096) {
    throw new ClaraError("option", `claraTokenizer: memoryTokens must be 1 to 4096, got ${memoryTokens}`);
  }
  const memory = Array.from({ length: memoryTokens }, (_, i) => `<MEM${i}>`);
  const tokenizer = decoderTokenizer({
    tokenizer: file,
    config: withStart(config),
    added: [...memory, "<AE>", "<ENC>", "<SEP>"],
  });
  const { bos = "", eos, tokenId } = tokenizer;
  const eosId = eos === undefined ? undefined : tokenId(eos);
  if (eosId === undefined) throw new ClaraError("weights", "claraTokenizer: tokenizer_config.json names no eos_token");
  const memoryIds = memory.map((name) => tokenId(name)!);
  if (memoryIds.some((id, i) => id !== memoryIds[0]! + i)) {
    throw new ClaraError("weights", `claraTokenizer: ids of <MEM0> … <MEM${memoryTokens - 1}> are not consecutive`);
  }
  return {
    ...tokenizer,
    memoryTokens,
    firstMemoryId: memoryIds[0]!,
    // The reference pads with the first token where a model names no padding; padding is masked, so any id will do.
    padId: tokenId(tokenizer.pad ?? bos) ?? eosId,
    eosId,
    places: (count) => `${memory.join("")}<SEP>`.repeat(count),
    row: (text, tokens) => [
      ...tokenizer.encode(`<ENC>${bos}${tokenizer.literal(text)}${eos}`, { limit: tokens + 3 }),
      ...memoryIds,
    ],
  };
}

/** tokenizer_config.json with a `bos_token`, if there is anything to take for it. */
function withStart(config: unknown): unknown {
  const names = config as { bos_token?: unknown; additional_special_tokens?: unknown } | null | undefined;
  const [first] = Array.isArray(names?.additional_special_tokens) ? names.additional_special_tokens : [];
  return names?.bos_token || first === undefined ? config : { ...names, bos_token: first };
}
