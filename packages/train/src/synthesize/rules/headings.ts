import type { Fact } from "../pair.ts";
import { tidy, trimRange } from "../text/mask.ts";
import { finish, isAskable, lowerFirst, type Page } from "../text/question.ts";
import { type Span, sentences } from "../text/sentences.ts";
import { formOf } from "../text/verbs.ts";

/** A heading with the paragraph below it. */
export function headingFacts(page: Page, heading: Span, below: Span): Fact[] {
  const { masked, text } = page;
  const title = tidy(masked.slice(heading.start, heading.end)).replace(/^[\d.]+\s+/, "");
  const first = sentences(masked, below.start, below.end)[0];
  const answer = first && trimRange(text, first.start, withMore(masked, below, first));
  if (
    !answer ||
    text.slice(answer.start, answer.end).split(/\s+/).length > 45 ||
    /:\s*$/.test(masked.slice(first.start, first.end))
  )
    return [];
  if (/\?$/.test(title)) {
    const question = title.replace(/^q(?:uestion)?\s*[:.]\s*/i, "");
    return [{ rule: "faq", questions: [question], ...answer, certain: true }];
  }
  const questions = headingQuestions(page, title)
    .map((question) => finish(question))
    .filter((question) => question.split(" ").length > 3 && isAskable(question, text.slice(answer.start, answer.end)));
  return questions.length === 0 ? [] : [{ rule: "heading", questions, ...answer }];
}

/** A bare "Yes." takes the sentence after it along. */
function withMore(masked: string, below: Span, first: Span): number {
  const second = /^\s*(?:yes|no|sure|certainly|of course|absolutely)[\s.,!]*$/i.test(
    masked.slice(first.start, first.end),
  )
    ? sentences(masked, below.start, below.end)[1]
    : undefined;
  return second?.end ?? first.end;
}

function headingQuestions(page: Page, title: string): string[] {
  const [first = "", ...rest] = title.split(" ");
  const gerund = /ing$/.test(first.toLowerCase()) ? formOf(first.toLowerCase(), "gerund") : undefined;
  const object = rest.map((word, i) => (i < 9 ? lowerFirst(word, page.common) : word)).join(" ");
  if (gerund !== undefined && rest.length > 0 && !/^(?:and|or|to|in|on|at|from|with|for)$/.test(rest[0]!))
    return [`How do I ${gerund} ${object}`, `How should I ${gerund} ${object}`];
  if (/^how to$/i.test(`${first} ${rest[0] ?? ""}`) && rest.length > 1) return [`How do I ${rest.slice(1).join(" ")}`];
  if (/^(?:what|when|where|why|who)$/i.test(first) && /^(?:is|are|was|were|does|do|can)$/.test(rest[0] ?? ""))
    return [title];
  return [];
}

/** "Q: …" with "A: …" on the next line. */
export function dialogueFacts(page: Page, part: Span): Fact[] {
  const facts: Fact[] = [];
  const pattern =
    /(?:^|\n)\W*(?:Q|Question)(?:\s?\d+)?\W*[:.]\W*([^\n]+\?)\W*\n+\W*(?:A|Answer)(?:\s?\d+)?\W*[:.]\W*([^\n]+)/g;
  for (const match of page.text.slice(part.start, part.end).matchAll(pattern)) {
    const from = part.start + match.index + match[0].lastIndexOf(match[2]!);
    const answer = trimRange(page.text, from, from + match[2]!.length);
    if (answer) facts.push({ rule: "faq", questions: [tidy(match[1]!)], ...answer, certain: true });
  }
  return facts;
}
