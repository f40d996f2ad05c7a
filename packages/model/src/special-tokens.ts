/** A special token: these letters, wherever they stand, are one id. */
export interface SpecialToken {
  readonly id: number;
  readonly content: string;
  /** Whether it takes the white space before and after it. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
}

export interface SpecialTokens {
  /** A text's sections in order: special tokens by id, and what lies between them. Empty sections are left out. */
  split(text: string): (string | number)[];
  /** The same text with its special tokens hidden from `split`, whose sections have the letters again. */
  hide(text: string): string;
}

/**
 * Low surrogates without a high one before them cannot be encoded, so a well-formed text holds none: from here on they
 * stand for the first characters of special tokens that are meant as letters.
 */
const standInBase = 0xdc00;
const standInLimit = 0x400;

/** Finds special tokens in texts, the longest first where several begin at one place. */
export function specialTokens(tokens: readonly SpecialToken[]): SpecialTokens {
  const byContent = new Map(tokens.map((token) => [token.content, token]));
  const contents = [...byContent.keys()].filter((text) => text !== "").sort((a, b) => b.length - a.length);
  if (contents.length === 0) return { split: (text) => (text === "" ? [] : [text]), hide: (text) => text };
  const pattern = new RegExp(contents.map((text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")).join("|"), "g");
  const firsts = [...new Set(contents.map((text) => text[0]!))].slice(0, standInLimit);
  const last = (standInBase + firsts.length - 1).toString(16);
  const standIns = new RegExp(`(?<![\\ud800-\\udbff])[\\udc00-\\u${last}]`, "g");
  const show = (text: string): string => text.replace(standIns, (unit) => firsts[unit.charCodeAt(0) - standInBase]!);
  const hideOne = (content: string): string =>
    String.fromCharCode(standInBase + firsts.indexOf(content[0]!)) + content.slice(1);
  return {
    split: (text) => {
      const sections: (string | number)[] = [];
      let from = 0;
      let strip = false;
      const add = (end: number, before: boolean): void => {
        let part = text.slice(from, end);
        if (strip) part = part.trimStart();
        if (before) part = part.trimEnd();
        if (part !== "") sections.push(show(part));
      };
      for (const match of text.matchAll(pattern)) {
        const token = byContent.get(match[0])!;
        add(match.index, token.lstrip);
        sections.push(token.id);
        strip = token.rstrip;
        from = match.index + match[0].length;
      }
      add(text.length, false);
      return sections;
    },
    hide: (text) => {
      let out = text.toWellFormed();
      // Again, as the letters after a hidden one may begin another token.
      for (let before = ""; before !== out; ) {
        before = out;
        out = out.replace(pattern, hideOne);
      }
      return out;
    },
  };
}
