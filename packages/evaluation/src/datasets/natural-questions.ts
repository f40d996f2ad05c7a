import { bad, identifier, nonEmpty, texts } from "../lines.ts";
import { titled } from "../records.ts";
import { distinctAnswers, objects, type ReadSourced, text } from "./sourced.ts";

/**
 * Natural Questions, open version, with passages: `{ question, answers, ctxs: [{ title, text, isgold }] }`. Gold are those with
 * `isgold`; where a file has no such field (the output of a retriever), those with `hasanswer` or `has_answer`.
 *
 * @see Kwiatkowski et al. 2019, "Natural Questions"; Liu et al. 2023, "Lost in the Middle". https://arxiv.org/abs/2307.03172
 */
export const readNqOpen: ReadSourced = (json, fallback, place) => {
  const passages = objects(json.ctxs, "ctxs", place).map((passage, at) => ({
    title: text(passage.title ?? "", `ctxs[${at}].title`, place),
    body: text(passage.text, `ctxs[${at}].text`, place).trim(),
    passage,
  }));
  const kept = passages.filter(({ body }) => body !== "");
  if (kept.length === 0) bad(place, `needs "ctxs" with text, got none`);
  const judged = kept.some(({ passage }) => "isgold" in passage);
  const answers = json.answers ?? json.answer;
  return {
    record: {
      id: identifier(json.id ?? fallback, "id", place),
      question: nonEmpty(json.question, "question", place),
      answers: distinctAnswers(typeof answers === "string" ? [answers] : texts(answers, "answers", place), place),
      docs: kept.map(({ title, body }) => titled(title, body)),
      positive: kept.flatMap(({ passage: { isgold, hasanswer, has_answer } }, index) =>
        (judged ? isgold : (hasanswer ?? has_answer)) === true ? [index] : [],
      ),
      answerable: true,
    },
  };
};

/**
 * QED: a Natural Question with the paragraph that answers it. Its training files have one list of answers, its development file
 * one for each person who annotated; the spans of all of them count as answers, as in the open version.
 *
 * @see Lamm et al. 2021, "QED". https://arxiv.org/abs/2009.06354
 */
export const readQed: ReadSourced = (json, fallback, place) => {
  const { answer_text: given, original_nq_answers: annotated } = json;
  const answers =
    given !== undefined
      ? texts(given, "answer_text", place)
      : (Array.isArray(annotated) ? annotated : [undefined]).flatMap((spans, at) =>
          objects(spans, `original_nq_answers[${at}]`, place).map(({ string }) =>
            text(string, "original_nq_answers[].string", place),
          ),
        );
  const body = nonEmpty(json.paragraph_text, "paragraph_text", place);
  return {
    record: {
      id: identifier(json.example_id ?? fallback, "example_id", place),
      question: nonEmpty(json.question_text, "question_text", place),
      answers: distinctAnswers(answers, place),
      docs: [titled(text(json.title_text ?? "", "title_text", place), body)],
      positive: [0],
      answerable: true,
    },
  };
};
