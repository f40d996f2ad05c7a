import { ClaraError } from "@clara/core";

export interface TokenizerFile {
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Special tokens and their ids. */
  readonly special: ReadonlyMap<string, number>;
  /** Before a piece that continues a word, "##". */
  readonly prefix: string;
  readonly unknownToken: string;
  /** Characters of the longest word that is split. */
  readonly wordLength: number;
  readonly lowercase: boolean;
  /** Whether accents are kept. */
  readonly accents: boolean;
}

/**
 * Checks a parsed tokenizer.json and takes from it what WordPiece needs. Its truncation, padding and templates are the
 * caller's business.
 *
 * @throws ClaraError "weights" that names the field.
 */
export function parseTokenizer(json: unknown): TokenizerFile {
  const file = record(json, "the file");
  const model = record(file.model, "model");
  expect("model.type", model.type, "WordPiece");
  const normalizer = record(file.normalizer, "normalizer");
  expect("normalizer.type", normalizer.type, "BertNormalizer");
  expect("normalizer.clean_text", normalizer.clean_text, true);
  expect("normalizer.handle_chinese_chars", normalizer.handle_chinese_chars, true);
  expect("pre_tokenizer.type", record(file.pre_tokenizer, "pre_tokenizer").type, "BertPreTokenizer");

  const vocabulary = new Map<string, number>();
  for (const [piece, id] of Object.entries(record(model.vocab, "model.vocab"))) {
    if (!Number.isInteger(id)) fail(`model.vocab["${piece}"]`, "a whole number", id);
    vocabulary.set(piece, id as number);
  }
  const special = new Map<string, number>();
  const added: unknown = file.added_tokens ?? [];
  if (!Array.isArray(added)) fail("added_tokens", "a list", added);
  for (const entry of added) {
    const { id, content } = record(entry, "added_tokens[]");
    if (!Number.isInteger(id) || typeof content !== "string" || content === "") {
      fail("added_tokens[]", "an id and a content", entry);
    }
    special.set(content, id as number);
  }
  const lowercase = normalizer.lowercase === true;
  return {
    vocabulary,
    special,
    prefix: text(model.continuing_subword_prefix ?? "##", "model.continuing_subword_prefix"),
    unknownToken: text(model.unk_token ?? "[UNK]", "model.unk_token"),
    wordLength: typeof model.max_input_chars_per_word === "number" ? model.max_input_chars_per_word : 100,
    lowercase,
    // As in BERT: unless said otherwise, a model that lower-cases strips accents too.
    accents: typeof normalizer.strip_accents === "boolean" ? !normalizer.strip_accents : !lowercase,
  };
}

function record(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(where, "an object", value);
  return value as Record<string, unknown>;
}

function text(value: unknown, where: string): string {
  if (typeof value !== "string") fail(where, "a string", value);
  return value;
}

function expect(where: string, found: unknown, needed: unknown): void {
  if (found !== needed) fail(where, JSON.stringify(needed), found);
}

function fail(where: string, needed: string, found: unknown): never {
  const shown = (JSON.stringify(found) ?? "nothing").slice(0, 80);
  const message = `wordPiece: tokenizer.json: ${where} must be ${needed}, got ${shown}; only BERT's WordPiece tokenizers are read`;
  throw new ClaraError("weights", message);
}
