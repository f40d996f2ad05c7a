import { bad, excerpt, identifier, isObject, nonEmpty, type Place } from "../lines.ts";
import { titled } from "../records.ts";
import { distinctAnswers, objects, type Sourced, text } from "./sourced.ts";

/** A question where it stands in the file; `read` throws when it cannot be used. */
export interface SquadQuestion {
  readonly place: Place;
  read(): Sourced;
}

/**
 * SQuAD 1.1 and 2.0 (and sets in its layout, such as XQuAD): articles of paragraphs with questions. A record's document is its
 * paragraph; the other paragraphs of its article are the pool. The answers must be slices of the paragraph.
 *
 * @see Rajpurkar et al. 2016, 2018. https://arxiv.org/abs/1606.05250 https://arxiv.org/abs/1806.03822
 */
export function* squadQuestions(
  json: Readonly<Record<string, unknown>>,
  source: string,
): Generator<SquadQuestion, void, undefined> {
  let number = 0;
  for (const [a, article] of objects(json.data, "data", source).entries()) {
    const at = `${source} article ${a + 1}`;
    const paragraphs = objects(article.paragraphs, "paragraphs", at);
    const title = text(article.title ?? "", "title", at).replaceAll("_", " ");
    const docs = paragraphs.map(({ context }) => titled(title, typeof context === "string" ? context : ""));
    for (const [p, paragraph] of paragraphs.entries()) {
      const where = `${at}, paragraph ${p + 1}`;
      for (const question of objects(paragraph.qas, "qas", where)) {
        number++;
        const place = `${source} question ${number} (article ${a + 1}, paragraph ${p + 1})`;
        const fallback = String(number);
        yield { place, read: () => sourced(question, paragraph, { docs, at: p, fallback, place }) };
      }
    }
  }
}

export function isSquad(json: unknown): json is Record<string, unknown> {
  return (
    isObject(json) && Array.isArray(json.data) && json.data.every((item) => isObject(item) && "paragraphs" in item)
  );
}

interface Around {
  readonly docs: readonly string[];
  readonly at: number;
  readonly fallback: string;
  readonly place: Place;
}

function sourced(
  question: Record<string, unknown>,
  paragraph: Record<string, unknown>,
  { docs, at, fallback, place }: Around,
): Sourced {
  const context = nonEmpty(paragraph.context, "context", place);
  const { id = fallback, is_impossible: impossible = false, answers } = question;
  if (typeof impossible !== "boolean") bad(place, `needs "is_impossible" as true or false, got ${excerpt(impossible)}`);
  const given = impossible ? [] : objects(answers, "answers", place).map((answer) => text(answer.text, "text", place));
  const stranger = given.find((answer) => !context.includes(answer));
  if (stranger !== undefined) bad(place, `needs answers that are in the paragraph, got "${excerpt(stranger)}"`);
  return {
    record: {
      id: identifier(id, "id", place),
      question: nonEmpty(question.question, "question", place),
      answers: impossible ? [] : distinctAnswers(given, place),
      docs: [docs[at]!],
      positive: impossible ? [] : [0],
      answerable: !impossible,
    },
    // An unanswerable question has no gold paragraph, but it is asked about this one.
    pool: { docs, positive: [at] },
  };
}
