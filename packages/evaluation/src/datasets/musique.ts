import { bad, excerpt, identifier, nonEmpty, texts } from "../lines.ts";
import { titled } from "../records.ts";
import { distinctAnswers, objects, type ReadSourced, text } from "./sourced.ts";

/**
 * MuSiQue: twenty paragraphs, two to four of them gold; the answer's aliases are as right as the answer. In MuSiQue-Full half of
 * the questions have lost a gold paragraph and are `answerable: false`.
 *
 * @see Trivedi et al. 2022, "MuSiQue". https://arxiv.org/abs/2108.00573
 */
export const readMusique: ReadSourced = (json, fallback, place) => {
  const { answerable = true, answer_aliases: aliases = [] } = json;
  if (typeof answerable !== "boolean") bad(place, `needs "answerable" as true or false, got ${excerpt(answerable)}`);
  const paragraphs = objects(json.paragraphs, "paragraphs", place).map((paragraph, at) => ({
    title: text(paragraph.title ?? "", `paragraphs[${at}].title`, place),
    body: text(paragraph.paragraph_text, `paragraphs[${at}].paragraph_text`, place).trim(),
    gold: paragraph.is_supporting === true,
  }));
  const kept = paragraphs.filter(({ body }) => body !== "");
  if (kept.length === 0) bad(place, `needs "paragraphs" with text, got none`);
  const said = answerable ? [text(json.answer, "answer", place), ...texts(aliases, "answer_aliases", place)] : [];
  return {
    record: {
      id: identifier(json.id ?? fallback, "id", place),
      question: nonEmpty(json.question, "question", place),
      answers: answerable ? distinctAnswers(said, place) : [],
      docs: kept.map(({ title, body }) => titled(title, body)),
      positive: kept.flatMap(({ gold }, index) => (gold ? [index] : [])),
      answerable,
    },
  };
};
