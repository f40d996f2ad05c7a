import { ClaraError } from "@clara/core";
import { Tokenizer } from "@huggingface/tokenizers";
import { type SpecialToken, specialTokens } from "./special-tokens.ts";

/** Text to ids of a decoder's vocabulary and back. */
export interface DecoderTokenizer {
  /** Ids are below this, added tokens included. */
  readonly size: number;
  /** Names of the model's own special tokens, where it has them. */
  readonly bos: string | undefined;
  readonly eos: string | undefined;
  readonly pad: string | undefined;
  /** Id of one piece, undefined when there is no such piece. */
  tokenId(piece: string): number | undefined;
  /** Ids of the text, in which names of special tokens are those tokens. Nothing is put before or after it. */
  encode(text: string, options?: EncodeTextOptions): number[];
  /** Text of the ids; ids outside of the vocabulary are left out, and special tokens too unless they are asked for. */
  decode(ids: readonly number[], options?: { readonly special?: boolean }): string;
  /** The text for `encode` so that names of special tokens in it are letters: for all that people wrote. */
  literal(text: string): string;
}

export interface EncodeTextOptions {
  /** Most ids; what is beyond is cut, and a long text costs no more than its beginning. @default all */
  readonly limit?: number;
}

export interface DecoderTokenizerFiles {
  /** tokenizer.json, parsed. */
  readonly tokenizer: unknown;
  /** tokenizer_config.json, parsed: names of the special tokens. */
  readonly config?: unknown;
  /** Special tokens to add to the vocabulary's end, in this order. @default none */
  readonly added?: readonly string[];
}

/** Begins texts that continue one, so that no space is put before them. Not well-formed: no text can name it. */
const continued = "\udfffclara";

/**
 * A tokenizer from Hugging Face's files, special tokens handled here: they can be added, and be letters where people
 * wrote them (`literal`).
 *
 * @throws ClaraError "weights" when a file is not what it should be.
 */
export function decoderTokenizer({
  tokenizer: file,
  config = {},
  added = [],
}: DecoderTokenizerFiles): DecoderTokenizer {
  if (!isRecord(file) || !isRecord(file.model) || !isRecord(config)) {
    fail("tokenizer.json must be an object with a model, tokenizer_config.json an object");
  }
  const vocabulary = file.model.vocab;
  if (file.model.type !== "BPE" || !isRecord(vocabulary)) {
    fail(`model must be BPE with a vocab, an object from pieces to ids; got ${JSON.stringify(file.model.type)}`);
  }
  const listed = addedTokens(file.added_tokens ?? []);
  const all = [...listed, ...newTokens(added, listed, vocabulary)];
  const special = all.filter(({ special, normalized }) => special && !normalized);
  // Tokens of texts only: `special` are split off before.
  const plain = build(file, config, [
    ...all.filter((token) => !special.includes(token)),
    entry(continued, Math.max(0, ...all.map(({ id }) => id + 1)) + Object.keys(vocabulary).length),
  ]);
  const whole = build(file, config, all);
  const { split, hide } = specialTokens(special);
  const specialIds = new Map(special.map(({ id, content }) => [id, content]));
  const byteRuns = JSON.stringify(file.decoder ?? null).includes('"ByteFallback"');
  const longest = Object.keys(vocabulary).reduce((most, piece) => Math.max(most, piece.length), 1);
  const clean = config.clean_up_tokenization_spaces === true;

  /** A piece of a text that is by chance the name of a special token: its bytes, where the vocabulary has them. */
  const spell = (id: number): number[] => {
    const name = specialIds.get(id);
    const bytes =
      name === undefined ? [] : [...new TextEncoder().encode(name)].map((byte) => vocabulary[byteName(byte)]);
    return bytes.length > 0 && bytes.every((byte) => typeof byte === "number") ? (bytes as number[]) : [id];
  };
  const encodeSection = (text: string, first: boolean): number[] => {
    const { ids } = plain.encode(first ? text : continued + text, { add_special_tokens: false });
    return (first ? ids : ids.slice(1)).flatMap(spell);
  };

  return {
    size: Math.max(...Object.values(vocabulary as Record<string, number>), ...all.map(({ id }) => id)) + 1,
    bos: tokenName(config.bos_token),
    eos: tokenName(config.eos_token),
    pad: tokenName(config.pad_token),
    tokenId: (piece) => whole.token_to_id(piece),
    literal: hide,
    encode: (text, { limit = Number.POSITIVE_INFINITY } = {}) => {
      const ids: number[] = [];
      for (const [i, section] of split(text).entries()) {
        if (ids.length >= limit) break;
        if (typeof section === "number") {
          ids.push(section);
          continue;
        }
        // A piece has at most `longest` characters; the margin is for pieces at the cut and characters that are joined.
        const enough = 2 * (limit - ids.length + 64) * longest;
        for (const id of encodeSection(section.slice(0, enough).toWellFormed(), i === 0)) ids.push(id);
      }
      return ids.length > limit ? ids.slice(0, limit) : ids;
    },
    decode: (ids, { special = false } = {}) => {
      const pieces: string[] = [];
      for (const id of ids) {
        const piece = special || !specialIds.has(id) ? whole.id_to_token(id) : undefined;
        if (piece !== undefined) pieces.push(piece);
      }
      if (pieces.length === 0) return "";
      const known = byteRuns ? withReplacements(pieces) : pieces;
      const text = whole.decoder ? whole.decoder.decode(known) : known.join(" ");
      return clean
        ? text
            .replace(/ ([.?!,])/g, "$1")
            .replace(/ ' /g, "'")
            .replace(/ (n't|'m|'s|'ve|'re)/g, "$1")
        : text;
    },
  };
}

type AddedToken = SpecialToken & {
  readonly special: boolean;
  readonly normalized: boolean;
  readonly single_word: boolean;
};

function entry(content: string, id: number): AddedToken {
  return { id, content, special: true, normalized: false, lstrip: false, rstrip: false, single_word: false };
}

function addedTokens(list: unknown): AddedToken[] {
  if (!Array.isArray(list)) fail("added_tokens must be a list");
  return list.map((token: unknown) => {
    if (!isRecord(token) || !Number.isInteger(token.id) || typeof token.content !== "string" || token.content === "") {
      fail(`added_tokens[] must have an id and a content, got ${JSON.stringify(token)?.slice(0, 100)}`);
    }
    const flag = (name: string): boolean => token[name] === true;
    return {
      ...entry(token.content as string, token.id as number),
      special: flag("special"),
      normalized: flag("normalized"),
      lstrip: flag("lstrip"),
      rstrip: flag("rstrip"),
      single_word: flag("single_word"),
    };
  });
}

/** The next ids: behind the added tokens, or behind the vocabulary where those lie inside it. Known names keep theirs. */
function newTokens(names: readonly string[], listed: readonly AddedToken[], vocabulary: object): AddedToken[] {
  const count = Object.keys(vocabulary).length;
  let next = Math.max(count, ...listed.map(({ id }) => id + 1));
  const known = new Set(listed.map(({ content }) => content));
  return names.filter((name) => !known.has(name)).map((name) => entry(name, next++));
}

/** What a file may leave out and the library wants to see. */
const parts = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };

function build(file: Record<string, unknown>, config: object, tokens: readonly AddedToken[]): Tokenizer {
  try {
    return new Tokenizer({ ...parts, ...file, added_tokens: tokens }, config);
  } catch (cause) {
    throw new ClaraError("weights", `decoderTokenizer: tokenizer.json is of a kind that cannot be read: ${cause}`, {
      cause,
    });
  }
}

/** Each byte of a run of byte pieces that is no UTF-8 is one U+FFFD, as in Hugging Face's tokenizers. */
function withReplacements(pieces: readonly string[]): string[] {
  const out = [...pieces];
  for (let i = 0; i < out.length; ) {
    let end = i;
    while (end < out.length && /^<0x[0-9A-F]{2}>$/.test(out[end]!)) end++;
    if (end > i) {
      const bytes = Uint8Array.from(out.slice(i, end), (piece) => Number.parseInt(piece.slice(3, 5), 16));
      if (!isUtf8(bytes)) out.fill("\ufffd", i, end);
      else if (byteOrderMark.every((byte, at) => bytes[at] === byte)) {
        // The library takes one away where a run begins.
        out.splice(i, 0, ...byteOrderMark.map(byteName));
        end += byteOrderMark.length;
      }
    }
    i = end + 1;
  }
  return out;
}

/** U+FEFF in UTF-8. */
const byteOrderMark = [0xef, 0xbb, 0xbf];

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function byteName(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

function tokenName(token: unknown): string | undefined {
  const name = isRecord(token) ? token.content : token;
  return typeof name === "string" && name !== "" ? name : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fail(problem: string): never {
  throw new ClaraError("weights", `decoderTokenizer: ${problem}`);
}
