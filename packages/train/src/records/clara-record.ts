import type { Stage } from "../recipe.ts";

/**
 * A record of the three stages' files, checked. `questions` and `paraphrase` are of stage `compression`, `answer` of the other
 * two.
 */
export type ClaraRecord = QuestionsRecord | ParaphraseRecord | AnswerRecord;

interface Common {
  /** The record's own name, where it has one. */
  readonly id?: string;
  /** In its file, from 1. */
  readonly line: number;
  /** None of them blank. */
  readonly documents: readonly string[];
}

/** Questions about the documents with their answers: at least one pair. */
export interface QuestionsRecord extends Common {
  readonly kind: "questions";
  readonly pairs: readonly { readonly question: string; readonly answer: string }[];
}

/** The documents in other words. */
export interface ParaphraseRecord extends Common {
  readonly kind: "paraphrase";
  readonly paraphrase: string;
}

/** A question to be answered from the documents, the best first. */
export interface AnswerRecord extends Common {
  readonly kind: "answer";
  readonly question: string;
  /** What is trained on: in stage `instruction` the words of a teacher, in `endToEnd` those of people. */
  readonly answer: string;
  /** Other right answers, for measures. */
  readonly aliases: readonly string[];
  /** The answer of people, where the file gives it beside a teacher's. */
  readonly gold?: string;
  /** Positions of the documents that hold the answer; empty when unknown. */
  readonly positives: readonly number[];
}

/** How errors call a record: by its id, else by its line. */
export function recordName({ id, line }: ClaraRecord): string {
  return id === undefined ? `line ${line}` : `line ${line} (${id})`;
}

/** Documents of one record that a stage's prompt has places for, as in the reference's scripts. */
export const placedDocuments: Readonly<Record<Stage, number>> = { compression: 1, instruction: 5, endToEnd: 5 };
