import type { Fact } from "../pair.ts";
import { type Clause, isBe, singularVerb } from "../text/clause.ts";
import { tidy } from "../text/mask.ts";
import { ask, finish, leadText, type Page } from "../text/question.ts";
import { isParticiple } from "../text/verbs.ts";
import { determiners, endsInPerson, isPeople, isPerson, prepositions } from "../text/words.ts";

/** "X is a Y", "X makes Y", "…, because Z", commands: what the sentence as a whole says. */
export function statementFacts(page: Page, clause: Clause): Fact[] {
  return [
    definition(page, clause),
    object(page, clause),
    actor(page, clause),
    reason(page, clause),
    condition(page, clause),
    means(page, clause),
  ].filter((fact) => fact !== null);
}

function definition(page: Page, clause: Clause): Fact | null {
  const { masked } = page;
  if (!isBe(clause) || clause.lead) return null;
  const complement = masked.slice(clause.rest.start, clause.rest.end);
  const first = clause.words[0];
  if (
    first === undefined ||
    /^(?:not|also|only|still|never|always|often|usually|about)$/.test(first.lower) ||
    prepositions.has(first.lower)
  )
    return null;
  if (first.lower === "that" || (/^\s*(?:and|or)\b/.test(masked.slice(clause.rest.end)) && clause.words.length < 4))
    return null;
  const noun =
    determiners.has(first.lower) ||
    /^\p{Lu}/u.test(first.text) ||
    (clause.auxiliary === "are" && /^(?:[\p{L}-]+\s){0,3}[\p{L}-]+s$/u.test(complement.trim()));
  if (!noun || isParticiple(first.lower) || clause.words.length > 24) return null;
  const subject = tidy(masked.slice(clause.subject.start, clause.subject.end));
  const who = endsInPerson(subject) || endsInPerson(complement.trim());
  return {
    rule: "definition",
    questions: [ask(page, clause, who ? "Who" : "What", { without: [clause.rest] })],
    start: first.start,
    end: clause.rest.end,
  };
}

/** The object of a verb: "What does Brindlow make from merino wool?" */
function object(page: Page, clause: Clause): Fact | null {
  const { common } = page;
  if (clause.auxiliary !== null || clause.imperative) return null;
  const words = clause.words;
  const first = words[0];
  if (
    first === undefined ||
    prepositions.has(first.lower) ||
    /^(?:not|to|that|how|what|if|whether|as|about|it|themselves|itself|well|back|up|out|off|down|away|over|around|together|forward|on|so|only|very|more)$/.test(
      first.lower,
    ) ||
    /ly$/.test(first.lower) ||
    /\d/.test(first.text)
  )
    return null;
  if (
    /^(?:become|remain|happen|occur|seem|appear|go|come|sit|lie|stand|live|exist|arrive|fall|rise|belong|differ|weigh|cost|measure|last|take|let|have)$/.test(
      clause.lemma,
    ) &&
    !/^(?:have|take)$/.test(clause.lemma)
  )
    return null;
  const stop = words.findIndex(
    ({ lower, text }, i) =>
      i > 0 &&
      ((prepositions.has(lower) && lower !== "of" && lower !== "like") ||
        /^(?:to|that|when|if|by|[:;(])$/.test(text) ||
        lower === "while"),
  );
  const last = stop < 0 ? words.at(-1)! : words[stop - 1]!;
  const stopped = words[stop]?.lower ?? "";
  if (/^(?:you|your|no)$/.test(first.lower) && first.lower !== "your") return null;
  if (
    words[1]?.lower === "same" ||
    (stopped === "to" &&
      /^(?:allow|enable|require|let|help|permit|encourage|teach|cause|force|ask|tell|invite|persuade|need|want)$/.test(
        clause.lemma,
      )) ||
    stopped === "that"
  )
    return null;
  if (words.indexOf(last) > 12) return null;
  const range = { start: first.start, end: last.end };
  if (/ing$/.test(last.lower) || common.size === 0) return null;
  return { rule: "what", questions: [ask(page, clause, "What", { without: [range] })], ...range };
}

/** The subject, where it is a thing that is named: "What is sewn in Da Nang?" */
function actor(page: Page, clause: Clause): Fact | null {
  const { masked } = page;
  if (clause.imperative) return null;
  const subject = tidy(masked.slice(clause.subject.start, clause.subject.end));
  const words = subject.split(" ");
  if (words.length > 8 || isPerson(subject) || subject.split(" and ").every(isPerson)) return null;
  if (
    /^(?:we|you|i|it|they|he|she|this|these|that|those|there|here|one|all|some|most|many|both|each|others?|another|everyone|anyone|someone|nothing|everything|what|who|its|their|his|her)\b/i.test(
      subject,
    )
  )
    return null;
  // Complements name the subject's kind: "What is a mountain guide?" would ask for something else.
  if (isBe(clause) && !isParticiple(clause.words[0]?.lower ?? "")) return null;
  if (clause.words.length < 3) return null;
  if (/^(?:no|not)\s/i.test(subject)) return null;
  const who =
    isPeople(subject) ||
    endsInPerson(subject) ||
    isGroup(subject) ||
    (/^\p{Lu}\p{Ll}+$/u.test(subject) &&
      /\b(?:he|his|him|she|her)\b/.test(masked) &&
      !page.common.has(subject.toLowerCase()));
  const verb =
    clause.auxiliary === null && clause.form === "past"
      ? masked.slice(clause.subject.end, clause.rest.start)
      : singularVerb(clause);
  return {
    rule: "what",
    questions: [
      finish(
        `${who ? "Who" : "What"} ${verb} ${masked.slice(clause.rest.start, clause.rest.end)} ${clause.lead ? leadText(page, clause.lead) : ""}`,
      ),
    ],
    start: clause.subject.start,
    end: clause.subject.end,
  };
}

/** Peoples: "the French", "Americans". */
function isGroup(subject: string): boolean {
  return /^(?:the\s+)?(?:French|British|Dutch|English|Spanish|Irish|Scottish|Welsh|Polish|Chinese|Japanese|Portuguese|Romans|Germans|Huguenots|\p{Lu}\p{Ll}+(?:ians|icans|eans))$/iu.test(
    subject,
  );
}

function reason(page: Page, clause: Clause): Fact | null {
  if (clause.reason === null || clause.reason.end - clause.reason.start > 160) return null;
  return { rule: "why", questions: [ask(page, clause, "Why")], ...clause.reason };
}

/** "If gusts exceed 75 km/h, take the tent down": "What should you do if …?" */
function condition(page: Page, clause: Clause): Fact | null {
  const { masked } = page;
  if (
    !clause.imperative ||
    clause.lead === null ||
    !/^(?:if|when|once|after|before|unless)\b/i.test(masked.slice(clause.lead.start))
  )
    return null;
  if (
    masked.slice(clause.lead.start, clause.lead.end).trim().split(/\s+/).length < 3 ||
    /\bnot in use$/.test(masked.slice(clause.lead.start, clause.lead.end))
  )
    return null;
  return {
    rule: "instruction",
    questions: [
      finish(`What should you do ${leadText(page, clause.lead)}`),
      finish(`What do I have to do ${leadText(page, clause.lead)}`),
    ],
    start: clause.subject.start,
    end: clause.rest.end,
  };
}

/** "Clean the tent with lukewarm water": "What should you clean the tent with?" */
function means(page: Page, clause: Clause): Fact | null {
  const { masked } = page;
  if (!clause.imperative || /^(?:never|do not|don't)\b/i.test(masked.slice(clause.subject.start))) return null;
  const at = clause.words.findIndex(({ lower }, i) => i > 0 && /^(?:with|by|using)$/.test(lower));
  const word = clause.words[at];
  if (word === undefined || at > 8) return null;
  const tail = clause.words.slice(at + 1);
  const stop = tail.findIndex(({ lower }) => prepositions.has(lower) && lower !== "of" && lower !== "with");
  const last = stop < 0 ? tail.at(-1) : tail[stop - 1];
  if (last === undefined) return null;
  const by = word.lower !== "with";
  if (tail[0] !== undefined && (/\d/.test(tail[0].text) || (word.lower === "by" && /^\p{Lu}/u.test(tail[0].text))))
    return null;
  return {
    rule: "instruction",
    questions: [
      ask(page, clause, by ? "How" : "What", {
        without: [{ start: word.start, end: last.end }],
        ...(!by && last.end === clause.rest.end && { last: "with" }),
      }),
    ].map((question) => (by || last.end === clause.rest.end ? question : question.replace(/^What/, "With what"))),
    start: by ? word.start : word.end + 1,
    end: last.end,
  };
}
