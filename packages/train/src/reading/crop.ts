import type { Random } from "../random.ts";

export interface Range {
  /** UTF-16 offsets, end exclusive. */
  readonly start: number;
  readonly end: number;
}

/** Offsets of a text's words: what is between white space. */
export function wordRanges(text: string): Range[] {
  return [...text.matchAll(/\S+/gu)].map(({ 0: word, index }) => ({ start: index, end: index + word.length }));
}

/**
 * A random run of whole words, around a range if one is given: the range is inside, anywhere.
 *
 * @param count words of the run; all of the text when it has fewer. A longer range is kept whole.
 */
export function crop(text: string, count: number, rng: Random, inside?: Range): Range {
  const words = wordRanges(text);
  if (words.length <= count) return { start: 0, end: text.length };
  const first = inside ? words.findIndex(({ end }) => end > inside.start) : 0;
  const last = inside ? words.findLastIndex(({ start }) => start < inside.end) : count - 1;
  const least = inside ? Math.max(0, last - count + 1) : 0;
  const most = inside ? Math.min(first, words.length - count) : words.length - count;
  const from = least <= most ? least + rng.below(most - least + 1) : first;
  const to = Math.min(words.length, Math.max(from + count, inside ? last + 1 : 0));
  return { start: words[from]!.start, end: words[to - 1]!.end };
}
