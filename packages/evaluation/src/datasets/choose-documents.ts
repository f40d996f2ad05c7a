import { ClaraError } from "@clara/core";
import { normalizeAnswer } from "../answers.ts";
import { bad, type Place } from "../lines.ts";
import type { EvaluationRecord } from "../records.ts";
import type { Sourced } from "./sourced.ts";

/** `oracle`: the gold documents are among those given. `normal`: the best by the question's words, gold or not. */
export type DatasetSetting = "oracle" | "normal";

export interface ChooseOptions {
  /** @default as the file has it */
  readonly setting?: DatasetSetting | undefined;
  /** Documents of a record; with `oracle` never fewer than the gold ones. @default as the file has it; 5 with `normal` */
  readonly documents?: number | undefined;
}

/**
 * A record with the documents that the setting asks for. Without a setting and a number it is as its file has it.
 *
 * Documents are ranked by the question's words that they hold, rare ones counting more: enough to make distractors that share
 * words with the question, no search engine. In `oracle` they keep the order of the file, so that gold has no usual place.
 */
export function chooseDocuments(
  { record, pool }: Sourced,
  place: Place,
  { setting, documents }: ChooseOptions,
): EvaluationRecord {
  if (documents !== undefined && (!Number.isInteger(documents) || documents < 1))
    throw new ClaraError("option", `readDataset: documents must be a whole number from 1, got ${documents}`);
  const docs = pool?.docs ?? record.docs;
  // As the file has it; and records without documents are asked of a pack.
  if (docs === undefined || (setting !== "normal" && documents === undefined)) return record;
  const positive = pool?.positive ?? record.positive;
  if (positive === undefined && setting !== "normal")
    bad(place, 'names no gold documents ("pos_index"), which the setting oracle needs; choose the setting normal');
  const ranked = rankByWords(record.question, docs);
  const gold = new Set(setting === "normal" ? [] : positive);
  const others = ranked.filter((index) => !gold.has(index)).slice(0, Math.max(0, (documents ?? 5) - gold.size));
  const chosen = setting === "normal" ? others : [...gold, ...others].sort((a, b) => a - b);
  const right = new Set(record.answerable ? positive : []);
  return {
    ...record,
    docs: chosen.map((index) => docs[index]!),
    ...(positive && { positive: chosen.flatMap((index, at) => (right.has(index) ? [at] : [])) }),
  };
}

/** The words of each document of a list: one list serves all questions of an article. */
const known = new WeakMap<readonly string[], { sets: Set<string>[]; counts: Map<string, number> }>();

function rankByWords(question: string, docs: readonly string[]): number[] {
  const { sets, counts } = known.get(docs) ?? indexed(docs);
  const asked = [...new Set(normalizeAnswer(question).split(" "))];
  const score = (words: Set<string>): number =>
    asked.reduce((sum, word) => (words.has(word) ? sum + Math.log(1 + docs.length / counts.get(word)!) : sum), 0);
  const scores = sets.map(score);
  return docs.map((_, index) => index).sort((a, b) => scores[b]! - scores[a]! || a - b);
}

function indexed(docs: readonly string[]): { sets: Set<string>[]; counts: Map<string, number> } {
  const sets = docs.map((text) => new Set(normalizeAnswer(text).split(" ")));
  const counts = new Map<string, number>();
  for (const words of sets) for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const index = { sets, counts };
  known.set(docs, index);
  return index;
}
