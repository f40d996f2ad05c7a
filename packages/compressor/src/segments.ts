import type { Tokenizer } from "@clara/model";

/** One sequence for the encoder: a passage, or a part of a long one. */
export interface Segment {
  /** CLS, the title's tokens, tokens of the text, SEP. */
  readonly ids: Int32Array;
  /** Where its states begin among the passage's states. */
  readonly offset: number;
}

/** A passage as the encoder reads it. */
export interface Layout {
  readonly segments: readonly Segment[];
  /** Tokens of all segments, CLS, titles and SEP included. */
  readonly length: number;
  /** [length, 2] UTF-16 offsets into the text of each token; start === end for those that are not of the text. */
  readonly offsets: Uint32Array;
}

/** What is compressed: a text, and a title that gives it context. */
export interface CompressibleText {
  readonly text: string;
  readonly title?: string | undefined;
}

/**
 * Lays out [CLS] title text [SEP]. What is longer than `maxTokens` becomes several segments of full length, the last one
 * shorter. Each repeats the title when it takes at most a quarter of `maxTokens`; a longer title of a long passage is
 * left out. Of the text every token is in exactly one segment.
 */
export function layOut(tokenizer: Tokenizer, { text, title = "" }: CompressibleText, maxTokens: number): Layout {
  const { ids, starts, ends } = tokenizer.encode(text);
  const titleIds = title === "" ? new Int32Array(0) : tokenizer.encode(`${title}\n`).ids;
  const fits = ids.length + titleIds.length + 2 <= maxTokens || titleIds.length <= maxTokens / 4;
  const head = Int32Array.from([tokenizer.cls, ...(fits ? titleIds : [])]);
  const room = maxTokens - head.length - 1;
  const count = ids.length <= room ? 1 : Math.ceil(ids.length / room);
  const length = ids.length + count * (head.length + 1);
  const offsets = new Uint32Array(2 * length);
  const segments = Array.from({ length: count }, (_, s): Segment => {
    const part = ids.subarray(s * room, (s + 1) * room);
    const offset = s * maxTokens;
    part.forEach((_, i) => {
      const at = 2 * (offset + head.length + i);
      offsets[at] = starts[s * room + i]!;
      offsets[at + 1] = ends[s * room + i]!;
    });
    return { ids: Int32Array.from([...head, ...part, tokenizer.sep]), offset };
  });
  return { segments, length, offsets };
}
