import { ClaraError, type Passage } from "@clara/core";
import { type Random, random } from "../random.ts";
import { hashOf } from "./draft-pairs.ts";
import type { Pair, UnanswerablePair } from "./pair.ts";
import type { Paraphrase } from "./paraphrase.ts";

/** One line of the output: readable by `evaluate`, and by training for the spans. */
export interface SynthesizedRecord {
  readonly id: string;
  readonly question: string;
  /** One; none where `answerable` is false. */
  readonly answers: readonly string[];
  readonly docs: readonly string[];
  /** Where in `docs` the answer is; empty where it is nowhere. */
  readonly pos_index: readonly number[];
  readonly answerable: boolean;
  /** UTF-16 offsets into `docs[doc]`. */
  readonly spans: readonly { readonly doc: number; readonly start: number; readonly end: number }[];
  /** Of the passage that is asked about: its document's, and the headings above it. */
  readonly title: string;
  /** Path of the document. */
  readonly source: string;
  readonly rule: string;
}

export interface ToRecordOptions {
  /** Other passages in `docs`, which do not hold the answer's words. @default 0 */
  readonly distractors?: number;
  /** @default 0 */
  readonly seed?: number;
}

/** Writes pairs as records. The passages are the collection that distractors come from. */
export function recordWriter(
  passages: readonly Passage[],
  { distractors = 0, seed = 0 }: ToRecordOptions = {},
): (pair: Pair | UnanswerablePair) => SynthesizedRecord {
  const byId = new Map(passages.map((passage) => [passage.id, passage]));
  return (pair) => {
    const passage = byId.get(pair.passage);
    if (passage === undefined)
      throw new ClaraError(
        "option",
        `recordWriter: pair ${pair.id} is of passage ${pair.passage}, which is not among the ${passages.length} passages`,
      );
    const rng = random(seed, hashOf(pair.id), 3);
    const answer = "answer" in pair ? pair.answer : null;
    const others = answer === null ? [] : drawOthers(passages, passage, answer, distractors, rng);
    const at = rng.below(others.length + 1);
    const docs = [...others.slice(0, at), passage.text, ...others.slice(at)];
    return {
      id: pair.id,
      question: pair.question,
      answers: answer === null ? [] : [answer],
      docs,
      pos_index: answer === null ? [] : [at],
      answerable: answer !== null,
      spans: "answer" in pair ? [{ doc: at, start: pair.start, end: pair.end }] : [],
      title: passage.title,
      source: passage.document,
      rule: pair.rule,
    };
  };
}

function drawOthers(passages: readonly Passage[], own: Passage, answer: string, count: number, rng: Random): string[] {
  const taken = new Set<string>();
  const said = answer.toLowerCase();
  for (let tries = 0; taken.size < count && tries < count * 8; tries++) {
    const { id, text } = rng.pick(passages);
    if (id !== own.id && text !== own.text && !text.toLowerCase().includes(said)) taken.add(text);
  }
  return [...taken];
}

/** JSON Lines: one record a line, a line end after each. */
export function toLines(records: readonly object[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join("");
}

/**
 * The reference's pretraining format: all pairs of one passage on one line. Questions without an answer have no place in it.
 */
export function claraRecords(
  pairs: readonly Pair[],
  passages: readonly Passage[],
): { data_type: "qa"; question: string[]; answers: string[]; docs: [string] }[] {
  const byPassage = Map.groupBy(pairs, ({ passage }) => passage);
  return passages.flatMap(({ id, text }) => {
    const own = byPassage.get(id);
    return own === undefined
      ? []
      : [
          {
            data_type: "qa" as const,
            question: own.map(({ question }) => question),
            answers: own.map(({ answer }) => answer),
            docs: [text] as [string],
          },
        ];
  });
}

/** Paraphrases in the reference's pretraining format: the target is the answer. */
export function claraParaphrases(
  paraphrases: readonly Paraphrase[],
  passages: readonly Passage[],
): { data_type: "paraphrase"; question: string; answers: [string]; docs: [string] }[] {
  const texts = new Map(passages.map(({ id, text }) => [id, text]));
  return paraphrases.map(({ passage, text }) => ({
    data_type: "paraphrase",
    question: "",
    answers: [text],
    docs: [texts.get(passage)!],
  }));
}
