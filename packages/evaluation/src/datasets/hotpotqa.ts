import { bad, excerpt, identifier, isObject, nonEmpty, type Place, texts } from "../lines.ts";
import { titled } from "../records.ts";
import { distinctAnswers, type ReadSourced, text } from "./sourced.ts";

/**
 * HotpotQA, and 2WikiMultiHopQA, which took over its layout: ten paragraphs of sentences, those in `supporting_facts` gold.
 * Two forms: `context: [[title, [sentence, …]], …]` of the original files, `context: { title: […], sentences: [[…], …] }` of later copies.
 * A gold title that is not in the context is allowed: in the full-wiki setting the context is what a search found.
 *
 * @see Yang et al. 2018, "HotpotQA". https://arxiv.org/abs/1809.09600
 * @see Ho et al. 2020, "Constructing A Multi-hop QA Dataset". https://arxiv.org/abs/2011.01060
 */
export const readHotpotqa: ReadSourced = (json, fallback, place) => {
  const paragraphs = paragraphsOf(json.context, place).filter(({ body }) => body !== "");
  if (paragraphs.length === 0) bad(place, `needs paragraphs in "context", got none with text`);
  const gold = goldTitles(json.supporting_facts, place);
  return {
    record: {
      id: identifier(json._id ?? json.id ?? fallback, "id", place),
      question: nonEmpty(json.question, "question", place),
      answers: distinctAnswers([text(json.answer, "answer", place)], place),
      docs: paragraphs.map(({ title, body }) => titled(title, body)),
      positive: paragraphs.flatMap(({ title }, index) => (gold.has(title) ? [index] : [])),
      answerable: true,
    },
  };
};

interface Paragraph {
  readonly title: string;
  readonly body: string;
}

function paragraphsOf(context: unknown, place: Place): Paragraph[] {
  if (Array.isArray(context)) {
    return context.map((pair, at) => {
      if (!Array.isArray(pair) || pair.length !== 2)
        bad(place, `needs "context" as pairs [title, sentences], got ${excerpt(pair)} at index ${at}`);
      return { title: text(pair[0], `context[${at}][0]`, place), body: joined(pair[1], `context[${at}][1]`, place) };
    });
  }
  if (!isObject(context))
    bad(place, `needs "context" as pairs [title, sentences] or as { title, sentences }, got ${excerpt(context)}`);
  const titles = texts(context.title, "context.title", place);
  const { sentences } = context;
  if (!Array.isArray(sentences) || sentences.length !== titles.length) {
    const got = Array.isArray(sentences) ? sentences.length : excerpt(sentences);
    bad(place, `needs "context.sentences" as a list for each of the ${titles.length} titles, got ${got}`);
  }
  return titles.map((title, at) => ({ title, body: joined(sentences[at], `context.sentences[${at}]`, place) }));
}

/** HotpotQA's sentences bring the space before them, those of 2WikiMultiHopQA do not. */
function joined(value: unknown, name: string, place: Place): string {
  return texts(value, name, place)
    .reduce((body, sentence) => (body === "" || /^\s/.test(sentence) ? body + sentence : `${body} ${sentence}`), "")
    .trim();
}

function goldTitles(facts: unknown, place: Place): Set<string> {
  if (isObject(facts)) return new Set(texts(facts.title, "supporting_facts.title", place));
  if (!Array.isArray(facts)) bad(place, `needs "supporting_facts" as pairs [title, sentence], got ${excerpt(facts)}`);
  return new Set(
    facts.map((pair, at) => text(Array.isArray(pair) ? pair[0] : pair, `supporting_facts[${at}][0]`, place)),
  );
}
