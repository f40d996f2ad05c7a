import { type Clause, inversion } from "./clause.ts";
import { tidy } from "./mask.ts";
import type { Span } from "./sentences.ts";
import { verbForms } from "./verbs.ts";
import { auxiliaries, conjunctions, determiners, pointing, prepositions, pronouns } from "./words.ts";

/** What writing a question needs to know of the text around. */
export interface Page {
  /** The passage's text, and the same with marks as spaces. */
  readonly text: string;
  readonly masked: string;
  /** Words that the documents also write in lower case: no names. */
  readonly common: ReadonlySet<string>;
  /** What the document is about, in words that a question can use; null when that cannot be told. */
  readonly subject: string | null;
  /** The nearest heading that means something; null when there is none. */
  readonly heading: string | null;
}

/** The text with its first word as it is inside a sentence. */
export function lowerFirst(text: string, common: ReadonlySet<string>): string {
  const word = /^[\p{L}'’-]+/u.exec(text)?.[0] ?? "";
  const lower = word.toLowerCase();
  const closed =
    determiners.has(lower) ||
    prepositions.has(lower) ||
    conjunctions.has(lower) ||
    auxiliaries.has(lower) ||
    pronouns.has(lower) ||
    /^(?:never|always|please|not|also)$/.test(lower);
  if (word === "" || word === "I" || (word.length > 1 && word === word.toUpperCase())) return text;
  if (!closed && /\p{Lu}/u.test(word.slice(1))) return text;
  // "Trail Club" stays: the next word is a name's as well.
  if (
    !closed &&
    ((!common.has(lower) && verbForms(lower).length === 0 && !/.ing$/.test(lower)) || /^\S+\s+\p{Lu}/u.test(text))
  )
    return text;
  return `${lower}${text.slice(word.length)}`;
}

/** What the author says of themselves, asked by a reader. */
export function toReader(text: string): string {
  return text
    .replace(/\bwe\b/gi, "you")
    .replace(/\bours\b/gi, "yours")
    .replace(/\bour\b/gi, "your")
    .replace(/\bus\b/g, "you");
}

export interface AskOptions {
  /** Ranges of the rest that the question leaves out: the answer and its preposition. */
  readonly without?: readonly Span[];
  /** True when the answer was the lead: it is left out. @default false */
  readonly withoutLead?: boolean;
  /** Words between the rest and the question mark: a preposition that lost its noun. */
  readonly last?: string;
}

/** "How long" + clause → "How long do points last in the Trail Club?" */
export function ask(page: Page, clause: Clause, wh: string, options: AskOptions = {}): string {
  const { without = [], withoutLead = false, last = "" } = options;
  const { masked } = page;
  const subject = subjectText(page, clause);
  const { auxiliary, verb } = inversion(clause);
  const lead = clause.lead && !withoutLead ? leadText(page, clause.lead) : "";
  const rest = cut(masked, clause.rest, without);
  const negated =
    auxiliary === "should" && /^(?:do not|never)\b/i.test(masked.slice(clause.subject.start, clause.rest.start).trim())
      ? "never"
      : "";
  return finish(`${wh} ${auxiliary} ${subject} ${negated} ${verb} ${rest} ${last} ${lead}`);
}

export function subjectText(page: Page, clause: Clause): string {
  if (clause.imperative) return "you";
  return lowerFirst(tidy(page.masked.slice(clause.subject.start, clause.subject.end)), page.common);
}

export function leadText(page: Page, lead: Span): string {
  return lowerFirst(tidy(page.masked.slice(lead.start, lead.end)), page.common);
}

export function cut(masked: string, range: Span, without: readonly Span[]): string {
  let text = "";
  let from = range.start;
  for (const { start, end } of [...without].sort((a, b) => a.start - b.start)) {
    text += `${masked.slice(from, start)} `;
    from = Math.max(from, end);
  }
  return text + masked.slice(from, range.end);
}

/** A question from its words: brackets left out, one question mark, the first letter large. */
export function finish(words: string): string {
  const text = toReader(tidy(words.replace(/\([^()]*\)/g, " ")))
    .replace(/[\s,.;:–—-]+$/, "")
    .replace(/\s+([,.;])/g, "$1")
    .replace(/,(?:\s*,)+/g, ",");
  return text === "" ? "" : `${text[0]!.toUpperCase()}${text.slice(1)}?`;
}

/** Whether a question reads like one that somebody asks who has not read the passage. */
export function isAskable(question: string, answer: string): boolean {
  const words = question.slice(0, -1).split(/\s+/);
  if (words.length < 3 || words.length > 24 || question.length > 180) return false;
  if (/[|{}<>[\]()"“”;=\\]|,\s*\?|\s-\s|https?:|\.\s+\p{Lu}|,\s+(?:and|or|in|of|by)\?|!/u.test(question)) return false;
  const bare = words.map((word) => word.toLowerCase().replace(/[^\p{L}\p{N}'-]/gu, ""));
  if (bare.some((word, i) => i > 0 && pointing.has(word))) return false;
  if (bare.some((word, i) => i > 0 && word === bare[i - 1])) return false;
  // A preposition that lost what it governs, but for one at the very end: "What is it used for?"
  for (let i = 1; i < bare.length - 1; i++) {
    const two = `${bare[i]} ${bare[i + 1]}`;
    if (/^(?:to|of|from|with|for|at|in|on|by) as$/.test(two)) return false;
    if (
      /^(?:of|from|with|for|at|in|on|the|a|an|and|or|to|by) (?:of|from|with|for|at|in|on|by|and|or)$/.test(two) &&
      !/^(?:from|for) (?:in|at|on)$/.test(two)
    )
      return false;
  }
  if (
    /^(?:the|a|an|and|or|of|than|its|our|your|their|but|very|is|are|was|were|not|also|about|around|approximately|only|just|over|under|nearly|almost|roughly)$/.test(
      bare.at(-1)!,
    )
  )
    return false;
  if (
    (/\b(?:against|of|in|at|from|into|on|to|than|between|about)\?$/.test(question) &&
      !/\b(?:come in|set to|default to|belong to|made of)\?$/.test(question)) ||
    (/ by\?$/.test(question) && words.length > 12)
  )
    return false;
  // What was said in passing after a comma: "What means that, on occasion?"
  if (/,\s+\p{Ll}\S*(?:\s\S+)?\?$/u.test(question)) return false;
  const content = bare.filter((word) => word.length > 2 && !stop.has(word));
  if (content.length === 0) return false;
  // Said in the question already.
  const asked = ` ${bare.join(" ")} `;
  const said = tidy(answer.toLowerCase().replace(/[^\p{L}\p{N}\s'-]/gu, " "));
  return said !== "" && !asked.includes(` ${said} `);
}

const stop = new Set(
  "what who whom when where why how which many much long often does did was were are the you your and for from with can should must will would could has have had been that time take use used need get give make say said call called known year years".split(
    " ",
  ),
);
