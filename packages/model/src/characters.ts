/** What BERT's cleaning, lower-casing and splitting does with one character. */
export const Kind = {
  /** Part of a word. */
  word: 1,
  space: 2,
  /** Removed without ending a word: control characters and, in uncased models, accents. */
  gone: 3,
  /** A word of its own: punctuation and Chinese characters. */
  alone: 4,
} as const;

export interface Characters {
  kind(codePoint: number): number;
  /** What stands for the character in the vocabulary: no accents, lower case. */
  normal(codePoint: number): string;
}

const whiteSpace = /\p{White_Space}/u;
const control = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/u;
// All ASCII that is neither letter, digit, space nor control counts, "$" and "^" too.
const punctuation = /[\p{P}!-/:-@[-`{-~]/u;
const chinese: readonly (readonly [number, number])[] = [
  [0x4e00, 0x9fff],
  [0x3400, 0x4dbf],
  [0x20000, 0x2a6df],
  [0x2a700, 0x2b73f],
  [0x2b740, 0x2b81f],
  [0x2b920, 0x2ceaf],
  [0xf900, 0xfaff],
  [0x2f800, 0x2fa1f],
];

/**
 * Looks characters up one by one, which gives offsets for free. That equals normalising the whole text, but for the
 * order of two accents that are both kept, which no vocabulary entry has.
 *
 * @see Devlin et al. 2018, "BERT", the released tokenization.py. https://arxiv.org/abs/1810.04805
 */
export function characters({ lowercase, accents }: { lowercase: boolean; accents: boolean }): Characters {
  const kinds = new Uint8Array(0x110000); // 0: not looked at yet
  const normals = new Map<number, string>();

  function normal(codePoint: number): string {
    let text = normals.get(codePoint);
    if (text === undefined) {
      text = String.fromCodePoint(codePoint);
      if (!accents) text = text.normalize("NFD").replace(/\p{Mn}/gu, "");
      // Character by character, so that a capital sigma at the end of a word becomes the ordinary small one.
      if (lowercase) text = Array.from(text, (character) => character.toLowerCase()).join("");
      normals.set(codePoint, text);
    }
    return text;
  }

  function classify(codePoint: number): number {
    const raw = String.fromCodePoint(codePoint);
    if (raw === "\t" || raw === "\n" || raw === "\r") return Kind.space;
    if (codePoint === 0 || codePoint === 0xfffd || control.test(raw)) return Kind.gone;
    if (chinese.some(([first, last]) => codePoint >= first && codePoint <= last)) return Kind.alone;
    const text = normal(codePoint);
    if (text === "") return Kind.gone;
    if (whiteSpace.test(text)) return Kind.space;
    return punctuation.test(text) ? Kind.alone : Kind.word;
  }

  return {
    kind(codePoint) {
      if (kinds[codePoint] === 0) kinds[codePoint] = classify(codePoint);
      return kinds[codePoint]!;
    },
    normal,
  };
}
