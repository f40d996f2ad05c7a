import { ClaraError } from "@clara/core";
import { type Characters, characters, Kind } from "./characters.ts";
import { parseTokenizer } from "./tokenizer-json.ts";

/** `text.slice(starts[i], ends[i])` is what piece `i` stands for; all three have one entry for each piece. */
export interface Encoding {
  readonly ids: Int32Array;
  /** UTF-16 offsets into the text as it was given. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

export interface Tokenizer {
  /** Equal for tokenizers that encode alike, in this run and the next. */
  readonly id: string;
  readonly cls: number;
  readonly sep: number;
  readonly pad: number;
  readonly unknown: number;
  /** Pieces of the text alone: without [CLS] and [SEP] around it, not cut. */
  encode(text: string): Encoding;
}

export interface WordPieceOptions {
  /**
   * What "[SEP]", "[MASK]" and the like mean when they are written in a text. `id`: that special token, as in Hugging
   * Face's tokenizers. `text`: ordinary characters, so that a text cannot end its own fragment.
   * @default "id"
   */
  readonly specialTokens?: "id" | "text";
}

/** Pieces of one word, with offsets from its start. */
type Word = { readonly ids: readonly number[]; readonly starts: readonly number[]; readonly ends: readonly number[] };

const rememberedWords = 50_000;
const rememberedLength = 32;

/**
 * BERT's tokenizer with offsets: clean, space out Chinese, strip accents, lower-case, split at space and punctuation,
 * then the longest known piece first.
 *
 * Hugging Face's tables are of Unicode 8: 726 accents, marks and punctuation signs of rare scripts that are newer
 * (or were reclassified) are treated as the running JavaScript engine's Unicode says.
 *
 * @param json a parsed tokenizer.json
 * @throws ClaraError "weights" when it is no WordPiece tokenizer of BERT's kind.
 * @see Wu et al. 2016, "Google's Neural Machine Translation System", §4.1. https://arxiv.org/abs/1609.08144
 */
export function wordPiece(json: unknown, { specialTokens = "id" }: WordPieceOptions = {}): Tokenizer {
  const { vocabulary, special, prefix, unknownToken, wordLength, lowercase, accents } = parseTokenizer(json);
  const unknown = idOf(unknownToken);
  const table = characters({ lowercase, accents });
  const pieces = { vocabulary, prefix, unknown, wordLength, longest: longestKey(vocabulary) };
  const words = new Map<string, Word>();
  const lookalike = specialTokens === "id" ? anyOf([...special.keys()]) : undefined;

  function idOf(token: string): number {
    const id = special.get(token) ?? vocabulary.get(token);
    if (id === undefined) throw new ClaraError("weights", `wordPiece: the vocabulary has no ${token}`);
    return id;
  }

  function pieceWord(raw: string): Word {
    let word = words.get(raw);
    if (word === undefined) {
      word = splitWord(raw, table, pieces);
      if (words.size === rememberedWords) words.clear();
      if (raw.length <= rememberedLength) words.set(raw, word);
    }
    return word;
  }

  function encode(text: string): Encoding {
    const ids: number[] = [];
    const starts: number[] = [];
    const ends: number[] = [];

    function addWord(start: number, end: number): void {
      const word = pieceWord(text.slice(start, end));
      for (let i = 0; i < word.ids.length; i++) {
        ids.push(word.ids[i]!);
        starts.push(start + word.starts[i]!);
        ends.push(start + word.ends[i]!);
      }
    }

    function addPlain(from: number, to: number): void {
      let wordStart = -1;
      let wordEnd = -1; // after the word's last character that is not removed
      for (let at = from; at < to; ) {
        const codePoint = text.codePointAt(at)!;
        const next = at + (codePoint > 0xffff ? 2 : 1);
        const kind = table.kind(codePoint);
        if (kind === Kind.word) {
          if (wordStart < 0) wordStart = at;
          wordEnd = next;
        } else if (kind !== Kind.gone) {
          if (wordStart >= 0) addWord(wordStart, wordEnd);
          wordStart = -1;
          if (kind === Kind.alone) addWord(at, next);
        }
        at = next;
      }
      if (wordStart >= 0) addWord(wordStart, wordEnd);
    }

    let done = 0;
    for (const match of lookalike ? text.matchAll(lookalike) : []) {
      addPlain(done, match.index);
      done = match.index + match[0].length;
      ids.push(special.get(match[0])!);
      starts.push(match.index);
      ends.push(done);
    }
    addPlain(done, text.length);
    return { ids: Int32Array.from(ids), starts: Uint32Array.from(starts), ends: Uint32Array.from(ends) };
  }

  return {
    id: `wordpiece-${vocabulary.size}-${hash([...vocabulary.entries(), lowercase, accents, specialTokens])}`,
    cls: idOf("[CLS]"),
    sep: idOf("[SEP]"),
    pad: idOf("[PAD]"),
    unknown,
    encode,
  };
}

interface Pieces {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly prefix: string;
  readonly unknown: number;
  /** Characters; a longer word is unknown as a whole. */
  readonly wordLength: number;
  /** UTF-16 length of the longest piece. */
  readonly longest: number;
}

/** Longest piece first, from the left; a word with a part that no piece begins is unknown as a whole. */
function splitWord(raw: string, table: Characters, { vocabulary, prefix, unknown, wordLength, longest }: Pieces): Word {
  let text = "";
  let characterCount = 0;
  // Where in `raw` each UTF-16 unit of `text` comes from.
  const from: number[] = [];
  const to: number[] = [];
  let at = 0;
  for (const character of raw) {
    const codePoint = character.codePointAt(0)!;
    const normal = table.kind(codePoint) === Kind.gone ? "" : table.normal(codePoint);
    characterCount += Array.from(normal).length;
    for (let i = 0; i < normal.length; i++) {
      from.push(at);
      to.push(at + character.length);
    }
    text += normal;
    at += character.length;
  }
  const whole: Word = { ids: [unknown], starts: [0], ends: [raw.length] };
  if (characterCount > wordLength) return whole;
  const word = { ids: [] as number[], starts: [] as number[], ends: [] as number[] };
  for (let start = 0; start < text.length; ) {
    let end = Math.min(text.length, start + longest);
    let id: number | undefined;
    for (; end > start; end--) {
      const piece = text.slice(start, end);
      id = vocabulary.get(start === 0 ? piece : prefix + piece);
      if (id !== undefined) break;
    }
    if (id === undefined) return whole;
    word.ids.push(id);
    word.starts.push(from[start]!);
    word.ends.push(to[end - 1]!);
    start = end;
  }
  return word;
}

function longestKey(vocabulary: ReadonlyMap<string, number>): number {
  let longest = 0;
  for (const piece of vocabulary.keys()) longest = Math.max(longest, piece.length);
  return longest;
}

function anyOf(words: readonly string[]): RegExp | undefined {
  if (words.length === 0) return undefined;
  return new RegExp(words.map((word) => word.replace(/[^\w]/g, "\\$&")).join("|"), "g");
}

/** FNV-1a over the JSON of what decides the ids. @see http://www.isthe.com/chongo/tech/comp/fnv/ */
function hash(value: unknown): string {
  let state = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(JSON.stringify(value))) {
    state = Math.imul(state ^ byte, 0x01000193);
  }
  return (state >>> 0).toString(16).padStart(8, "0");
}
