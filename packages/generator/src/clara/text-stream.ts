import type { ClaraTokenizer } from "@clara/model";

/** The text of ids that come one by one, in pieces that are never taken back. */
export interface TextStream {
  add(id: number): void;
  /** Gives what is left. @returns all of the text, without space at its ends: the pieces joined */
  end(): string;
}

/**
 * Gives words as they are certain. A word is, when the next one has begun: its letters may be spread over several tokens, and a
 * tokenizer may tidy the space before a mark. A run of tokens that are single bytes is, when it has ended: bytes that are no
 * UTF-8 together are read otherwise than their beginning.
 */
export function textStream(
  { decode, tokenId }: Pick<ClaraTokenizer, "decode" | "tokenId">,
  onText: (piece: string) => void = () => {},
): TextStream {
  const bytes = byteIds(tokenId);
  const ids: number[] = [];
  let given = 0; // characters
  const give = (text: string): void => {
    if (text.length <= given) return;
    onText(text.slice(given));
    given = text.length;
  };
  return {
    add(id) {
      ids.push(id);
      // Special tokens are no text: bytes before and behind one are of one run.
      if (bytes.has(id) || decode([id]) === "") return;
      const text = decode(ids).trimStart();
      give(text.slice(0, Math.max(0, text.search(/\s+\S*$/))));
    },
    end() {
      const text = decode(ids).trim();
      give(text);
      return text;
    },
  };
}

/** Ids of single bytes, where the vocabulary has them. */
function byteIds(tokenId: ClaraTokenizer["tokenId"]): ReadonlySet<number> {
  const names = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`);
  return new Set(names.map(tokenId).filter((id) => id !== undefined));
}
