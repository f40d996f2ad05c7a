import { bad, excerpt, isObject, type Place } from "../lines.ts";
import type { EvaluationRecord } from "../records.ts";

/** A question as its data set has it, before the setting decides which documents go with it. */
export interface Sourced {
  /** Without `docs` and `positive` where the set brings no documents. */
  readonly record: EvaluationRecord;
  /** Documents that may stand beside the record's own: the other paragraphs of its article. The record's own are among them. */
  readonly pool?: { readonly docs: readonly string[]; readonly positive: readonly number[] };
}

/** How one format turns one JSON object into a question. `fallback` is the id of a record without one. */
export type ReadSourced = (json: Record<string, unknown>, fallback: string, place: Place) => Sourced;

/** A field that is a list of objects. */
export function objects(value: unknown, name: string, place: Place): Record<string, unknown>[] {
  if (!Array.isArray(value)) bad(place, `needs "${name}" as a list, got ${excerpt(value)}`);
  const at = value.findIndex((item) => !isObject(item));
  if (at >= 0) bad(place, `needs "${name}" as a list of objects, got ${excerpt(value[at])} at index ${at}`);
  return value as Record<string, unknown>[];
}

export function text(value: unknown, name: string, place: Place): string {
  if (typeof value !== "string")
    bad(place, `needs "${name}" as a text, got ${value === undefined ? "none" : excerpt(value)}`);
  return value;
}

/** Answers in their order, each once, without blank ones. */
export function distinctAnswers(answers: readonly string[], place: Place): string[] {
  const distinct = [...new Set(answers.filter((answer) => answer.trim() !== ""))];
  if (distinct.length === 0) bad(place, "needs an answer that is not empty, got none");
  return distinct;
}
