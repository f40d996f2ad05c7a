import type { ClaraTokenizer } from "@clara/model";

/** A text that is longer than can be read. */
export interface CutText {
  /** Its place in the list of texts. */
  readonly text: number;
  /** How many tokens of its end were not read, counted up to 1,000; 0 when only the mark of its end found no room. */
  readonly lostTokens: number;
}

/** A text as the compressor reads it. */
export interface TextRow {
  /** `<ENC><s>text</s>` and the memory tokens; no padding. */
  readonly ids: readonly number[];
  /** As in `CutText`; undefined when all was read. */
  readonly lostTokens: number | undefined;
}

/** Tokens up to which the lost end of a text is counted: a whole book is not split into tokens to say that it is too long. */
const countedTokens = 1000;

/**
 * A document or question as ids. Names of control tokens in it are letters. At most `documentTokens + 3` ids stand before the
 * memory tokens, as the published weights were trained: a text of one token more loses its end mark, a longer one its end.
 */
export function textRow(tokenizer: ClaraTokenizer, text: string, documentTokens: number): TextRow {
  const { memoryTokens: M } = tokenizer;
  const most = documentTokens + 3;
  // One id more than fits shows whether anything is cut.
  const ids = tokenizer.row(text, documentTokens + 1);
  if (ids.length <= most + M) return { ids, lostTokens: undefined };
  const all = tokenizer.row(text, documentTokens + 1 + countedTokens).length - M;
  return { ids: [...ids.slice(0, most), ...ids.slice(-M)], lostTokens: all - most - 1 };
}

/**
 * Rows of exactly one length, as batches: without padding each is computed as if it were alone.
 *
 * @param maxTokens of a batch; a longer row is a batch by itself.
 * @returns each batch as positions in `lengths`, longest rows first.
 */
export function batchesOfOneLength(lengths: readonly number[], maxTokens: number): number[][] {
  const byLength = Map.groupBy(lengths.keys(), (i) => lengths[i]!);
  return [...byLength]
    .sort(([a], [b]) => b - a)
    .flatMap(([length, rows]) => {
      const size = Math.max(1, Math.floor(maxTokens / length));
      return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => rows.slice(i * size, (i + 1) * size));
    });
}
