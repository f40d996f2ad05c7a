import {
  bad,
  excerpt,
  identifier,
  isObject,
  jsonObject,
  type Lines,
  nonEmpty,
  numbered,
  type Place,
  texts,
} from "./lines.ts";

export interface EvaluationRecord {
  /** The record's `id`, or its line number. */
  readonly id: string;
  readonly question: string;
  /** Any of them is right. Empty only where `answerable` is false. */
  readonly answers: readonly string[];
  /** Candidate documents as text; without them the pack is searched. */
  readonly docs?: readonly string[];
  /** Indices of the gold documents in `docs` (`pos_index`). */
  readonly positive?: readonly number[];
  /** Id of the gold document in the corpus that is searched, for a record without `docs`. */
  readonly document?: string;
  /** False where the documents do not answer the question. */
  readonly answerable: boolean;
}

/**
 * Reads evaluation records from lines of JSON, one at a time; blank lines are skipped.
 *
 * @param source the file's name, for errors
 * @throws ClaraError "input" naming source and line for whatever cannot be used.
 */
export async function* readRecords(lines: Lines, source: string): AsyncGenerator<EvaluationRecord, void, undefined> {
  for await (const { line, number, place } of numbered(lines, source)) {
    yield recordOf(jsonObject(line, place), String(number), place);
  }
}

/**
 * One record of the project's own format.
 *
 * @param fallback the id of a record that has none
 */
export function recordOf(json: Record<string, unknown>, fallback: string, place: Place): EvaluationRecord {
  const { id = fallback, question, answerable = true } = json;
  const document = json.document ?? undefined; // null: no document answers it
  if (typeof answerable !== "boolean") bad(place, `needs "answerable" as true or false, got ${excerpt(answerable)}`);
  const answers = answersOf(json, place);
  if (answerable && answers.length === 0) {
    bad(
      place,
      `needs "answers" (a list of texts) or "answer" (a text); a question without one says "answerable": false`,
    );
  }
  const docs = json.docs === undefined || json.docs === null ? undefined : documentsOf(json.docs, place);
  if (document !== undefined && typeof document !== "string")
    bad(place, `needs "document" as the id of a document, got ${excerpt(document)}`);
  const positive = positiveOf(json.pos_index, docs, place);
  return {
    id: identifier(id, "id", place),
    question: nonEmpty(question, "question", place),
    answers,
    answerable,
    ...(docs && { docs }),
    ...(positive && { positive }),
    ...(document !== undefined && { document }),
  };
}

/** `answers` is ours; `golden_answers` and `answer` are what the reference's files use. */
function answersOf(json: Record<string, unknown>, place: Place): string[] {
  const name = ["answers", "golden_answers", "answer"].find((name) => json[name] !== undefined && json[name] !== null);
  if (name === undefined) return [];
  const value = json[name];
  return typeof value === "string" ? [value] : texts(value, name, place);
}

/** Texts with the title on the first line; `{ title, text }` is put into that form. */
function documentsOf(value: unknown, place: Place): string[] {
  if (!Array.isArray(value)) return texts(value, "docs", place);
  const plain = value.map((item) =>
    isObject(item) && typeof item.text === "string" && typeof (item.title ?? "") === "string"
      ? titled(String(item.title ?? ""), item.text)
      : item,
  );
  return texts(plain, "docs", place);
}

/** A document's text as records hold it. */
export function titled(title: string, text: string): string {
  return title.trim() === "" ? text : `${title.trim()}\n${text}`;
}

function positiveOf(value: unknown, docs: readonly string[] | undefined, place: Place): number[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) bad(place, `needs "pos_index" as a list of indices, got ${excerpt(value)}`);
  const count = docs?.length ?? 0;
  for (const index of value) {
    if (!Number.isInteger(index) || index < 0 || index >= count) {
      bad(place, `needs "pos_index" between 0 and ${count - 1} (the record has ${count} docs), got ${excerpt(index)}`);
    }
  }
  return value as number[];
}
