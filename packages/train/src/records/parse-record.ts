import type { Stage } from "../recipe.ts";
import type { AnswerRecord, ClaraRecord, ParaphraseRecord, QuestionsRecord } from "./clara-record.ts";

/** What is wrong with a record. Caught by the readers here, which know the line. */
export class RecordProblem extends Error {}

export interface ParseRecordOptions {
  readonly stage: Stage;
  /** In its file, from 1. */
  readonly line: number;
  /** Documents that the stage's prompt has places for. */
  readonly documents: number;
}

/**
 * Takes a record apart as the reference's reader does: documents from the first of `docs`, `context`, `content` that is a
 * list, the answer from the first of `answer` (text), `answers` (list), `golden_answers` (list). Where the reference
 * stumbles this does not: see the tests.
 *
 * @param value one line, parsed
 * @throws RecordProblem
 */
export function parseRecord(value: unknown, { stage, line, documents: places }: ParseRecordOptions): ClaraRecord {
  if (!isObject(value)) problem(`needs a JSON object, got ${shown(value)}`);
  const id = identifier(value.id);
  const common = { ...(id !== undefined && { id }), line, documents: documentsOf(value) };
  const count = common.documents.length;
  if (stage === "endToEnd" ? count < places : count !== places) {
    problem(`needs ${stage === "endToEnd" ? "at least " : ""}${counted(places, "document")}, got ${count}`);
  }
  const answers = answersOf(value);
  if (stage !== "compression") return answerRecord(value, common, answers);
  if (value.data_type === "paraphrase") {
    return {
      kind: "paraphrase",
      ...common,
      paraphrase: nonBlank(answers[0], "the paraphrase"),
    } satisfies ParaphraseRecord;
  }
  return questionsRecord(value, common, answers);
}

type Common = { readonly id?: string; readonly line: number; readonly documents: readonly string[] };

function questionsRecord(value: JsonObject, common: Common, answers: readonly string[]): QuestionsRecord {
  const asked = value.question;
  const questions = typeof asked === "string" ? [asked] : textList(asked, '"question"');
  if (questions.length === 0 || questions.length !== answers.length) {
    const counts = `${counted(questions.length, "question")} and ${counted(answers.length, "answer")}`;
    problem(`needs one answer for each question, got ${counts}`);
  }
  const pairs = questions.map((question, i) => ({
    question: nonBlank(question, `question ${i}`),
    answer: nonBlank(answers[i], `answer ${i}`),
  }));
  return { kind: "questions", ...common, pairs };
}

function answerRecord(value: JsonObject, common: Common, answers: readonly string[]): AnswerRecord {
  const { question } = value;
  const single = Array.isArray(question) && question.length === 1 ? question[0] : question;
  if (Array.isArray(single)) problem(`needs one question, got ${single.length}`);
  const [answer, ...aliases] = answers;
  return {
    kind: "answer",
    ...common,
    question: nonBlank(single, '"question"'),
    answer: nonBlank(answer, "the answer"),
    aliases,
    // Beside a teacher's answer; alone it is the answer itself.
    ...(typeof value.gold_answer === "string" && value.gold_answer !== answer && { gold: value.gold_answer }),
    positives: positivesOf(value.pos_index ?? [], common.documents.length),
  };
}

function documentsOf(value: JsonObject): string[] {
  const found = ["docs", "context", "content"].find((name) => Array.isArray(value[name]));
  if (found === undefined) problem('needs "docs" (or "context" or "content"), a list of texts');
  const documents = textList(value[found], `"${found}"`);
  const blank = documents.findIndex((text) => text.trim() === "");
  if (blank >= 0) problem(`document ${blank} is empty`);
  return documents;
}

/** At least one, the target first. */
function answersOf(value: JsonObject): string[] {
  const { answer, answers, golden_answers: golden, gold_answer: gold } = value;
  if (typeof answer === "string")
    return [answer, ...(Array.isArray(golden) ? textList(golden, '"golden_answers"') : [])];
  const [list, name] = Array.isArray(answers) ? [answers, '"answers"'] : [golden, '"golden_answers"'];
  if (Array.isArray(list)) {
    if (list.length === 0) problem(`needs an answer: ${name} is empty`);
    return textList(list, name);
  }
  // The reference's pages name this field as the target, and its reader does not know it.
  if (typeof gold === "string") return [gold];
  return problem('needs "answer" (a text), "answers" or "golden_answers" (lists of texts)');
}

function positivesOf(value: unknown, count: number): number[] {
  if (!Array.isArray(value)) problem(`"pos_index" must be a list of positions, got ${shown(value)}`);
  for (const [i, position] of value.entries()) {
    if (!Number.isInteger(position) || position < 0 || position >= count) {
      problem(`"pos_index" must hold positions 0 to ${count - 1}, got ${shown(position)}`);
    }
    if (value.indexOf(position) < i) problem(`"pos_index" names document ${position} twice`);
  }
  return value as number[];
}

type JsonObject = Record<string, unknown>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function identifier(value: unknown): string | undefined {
  if (typeof value === "number" || (typeof value === "string" && value !== "")) return String(value);
  return undefined;
}

function textList(value: unknown, name: string): string[] {
  if (!Array.isArray(value)) problem(`needs ${name}, got ${shown(value)}`);
  const wrong = value.findIndex((text) => typeof text !== "string");
  if (wrong >= 0) problem(`${name} must be a list of texts, entry ${wrong} is ${shown(value[wrong])}`);
  return value as string[];
}

function nonBlank(value: unknown, name: string): string {
  if (typeof value !== "string") problem(`needs ${name}, a text, got ${shown(value)}`);
  if (value.trim() === "") problem(`${name} is empty`);
  return value;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "none";
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function problem(text: string): never {
  throw new RecordProblem(text);
}
