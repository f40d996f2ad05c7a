import type { SpanRecord } from "../reading/span-record.ts";
import { type ClaraRecord, recordName } from "./clara-record.ts";

/** Longer answers are only looked for as they stand: no pattern is made of a megabyte. */
const patternLimit = 2000;

/**
 * The first place of an answer in a text: as it stands there, else without regard to case and to the kind of white space.
 * Not inside of words, unless the answer itself begins or ends so.
 *
 * @returns UTF-16 offsets, end exclusive; null when the text does not hold it
 */
export function findAnswer(text: string, answer: string): { start: number; end: number } | null {
  const words = answer.trim().replace(/(?<=\S)[.!?]+$/u, "");
  if (words === "") return null;
  if (words.length > patternLimit) {
    const start = text.indexOf(words);
    return start < 0 ? null : { start, end: start + words.length };
  }
  const inner = words
    .split(/\s+/u)
    .map((word) => word.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"))
    .join("\\s+");
  const edge = "[\\p{L}\\p{N}_]";
  const before = new RegExp(edge, "u").test(words[0]!) ? `(?<!${edge})` : "";
  const after = /[\p{L}\p{N}_]$/u.test(words) ? `(?!${edge})` : "";
  for (const flags of ["u", "iu"]) {
    const match = new RegExp(`${before}${inner}${after}`, flags).exec(text);
    if (match) return { start: match.index, end: match.index + match[0].length };
  }
  return null;
}

/**
 * What a span reader can learn from a record: its questions with their answers' places, in a positive document first, else in
 * the first that holds them. Answers that are nowhere, and paraphrases, give nothing.
 */
export function toSpanRecords(record: ClaraRecord): SpanRecord[] {
  if (record.kind === "paraphrase") return [];
  const name = recordName(record);
  const pairs = record.kind === "questions" ? record.pairs : [record];
  const first = record.kind === "answer" ? record.positives : [];
  const order = [...first, ...record.documents.keys()];
  return pairs.flatMap(({ question, answer }, i) => {
    for (const index of order) {
      const text = record.documents[index]!;
      const place = findAnswer(text, answer);
      if (place) return [{ id: `${name} question ${i}`, question, text, answer: place, group: name }];
    }
    return [];
  });
}
