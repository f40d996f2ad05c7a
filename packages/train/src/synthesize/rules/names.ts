import type { Fact } from "../pair.ts";
import { type Clause, isBe, singularVerb } from "../text/clause.ts";
import { tidy } from "../text/mask.ts";
import { ask, finish, leadText, type Page } from "../text/question.ts";
import { isParticiple } from "../text/verbs.ts";
import { isNumber, isPerson, languages, months, weekdays } from "../text/words.ts";

const name = String.raw`(?:the\s+)?\p{Lu}[\p{L}\p{N}'’&.-]*(?:\s+(?:(?:of|de|la|von|van|da|al|the|and)\s+)?\p{Lu}[\p{L}\p{N}'’&.-]*){0,5}(?:,\s+\p{Lu}[\p{L}'’-]*(?:\s\p{Lu}[\p{L}'’-]*)?(?=[\s.,;]|$))?`;

/** Names: who did it, by whom, where. */
export function nameFacts(page: Page, clause: Clause): Fact[] {
  return [...whoFacts(page, clause), ...placeFacts(page, clause)];
}

/** The subject is a person, or several: "Who founded the company in 2009?" */
function whoFacts(page: Page, clause: Clause): Fact[] {
  const { masked } = page;
  const facts: Fact[] = [];
  if (!clause.imperative) {
    const subject = tidy(masked.slice(clause.subject.start, clause.subject.end));
    const people = subject.split(/,\s+|\s+and\s+/).filter(Boolean);
    // "X is a mountain guide" is a description: asking who is one would have many answers.
    const describes =
      isBe(clause) && /^\s*(?:an?|also|one of)\s/.test(masked.slice(clause.rest.start, clause.rest.end));
    if (people.every(isPerson) && !describes) {
      const verb =
        clause.auxiliary === null && clause.form === "past"
          ? masked.slice(clause.subject.end, clause.rest.start)
          : singularVerb(clause);
      facts.push({
        rule: "who",
        questions: [
          finish(
            `Who ${verb} ${masked.slice(clause.rest.start, clause.rest.end)} ${clause.lead ? leadText(page, clause.lead) : ""}`,
          ),
        ],
        start: clause.subject.start,
        end: clause.subject.end,
      });
    }
    // "Since 2022 the managing director has been Sinead Aldercott."
    if (isBe(clause) || /^ha[sd]$/.test(clause.auxiliary ?? "")) {
      const rest = masked.slice(clause.rest.start, clause.rest.end);
      const been = /^\s*been\s+/.exec(rest)?.[0].length ?? /^\s*/.exec(rest)![0].length;
      const complement = rest.slice(been).trimEnd();
      if (isPerson(complement) && (isBe(clause) || /been/.test(rest)))
        facts.push({
          rule: "who",
          questions: [
            finish(
              `Who ${clause.auxiliary} ${/been/.test(rest) ? "been" : ""} ${toSubject(page, clause)} ${clause.lead ? leadText(page, clause.lead) : ""}`,
            ),
          ],
          start: clause.rest.start + been,
          end: clause.rest.end,
        });
    }
  }
  const first = clause.words[0]?.lower ?? "";
  const passive = isBe(clause) && (isParticiple(first) || isParticiple(clause.words[1]?.lower ?? ""));
  if (passive) {
    for (const match of masked
      .slice(clause.rest.start, clause.rest.end)
      .matchAll(new RegExp(String.raw`(?<=\s)by\s+(${name})`, "gu"))) {
      const start = clause.rest.start + match.index;
      const end = start + match[0].length;
      const who = match[1]!.replace(/[.]$/, "");
      if (/\bby\b/.test(masked.slice(clause.rest.start, start)) || /^\s+and\b/.test(masked.slice(end))) continue;
      if (months.has(who.toLowerCase()) || isNumber(who.toLowerCase())) continue;
      facts.push({
        rule: "who",
        questions: [
          ask(page, clause, isPerson(who) ? "Who" : "By whom", {
            without: [{ start, end }],
            last: isPerson(who) && end === clause.rest.end ? "by" : "",
          }),
        ].map((question) =>
          isPerson(who) && end !== clause.rest.end ? question.replace(/^Who /, "By whom ") : question,
        ),
        start: end - match[1]!.length,
        end,
      });
    }
  }
  return facts;
}

function toSubject(page: Page, clause: Clause): string {
  const subject = tidy(page.masked.slice(clause.subject.start, clause.subject.end));
  return `${subject[0]!.toLowerCase()}${subject.slice(1)}`;
}

/** "in Braga, Portugal": "Where are your jackets sewn?" */
function placeFacts(page: Page, clause: Clause): Fact[] {
  const { masked } = page;
  const facts: Fact[] = [];
  const found = [
    ...masked
      .slice(clause.rest.start, clause.rest.end)
      .matchAll(new RegExp(String.raw`(?<=^|\s)(in|at|near|on)\s+(${name})`, "gu")),
  ];
  for (const match of found) {
    const start = clause.rest.start + match.index;
    const end = start + match[0].length;
    const place = match[2]!.replace(/^the\s+/, "");
    const first = place.split(/[\s,.]/)[0]!.toLowerCase();
    if (
      /^(?:battle|war|siege|treaty|congress|parliament|cpi|king|queen|pope)$/.test(first) ||
      (/^[A-Z]{2,4}$/.test(place) && !/^(?:US|USA|UK|EU|UAE)$/.test(place))
    )
      continue;
    if (masked.slice(end).startsWith(",") || masked[end - 1] === "'") continue;
    if (months.has(first) || weekdays.has(first.replace(/s$/, "")) || languages.has(first) || isPerson(place)) continue;
    // "in English law", "on Windows or macOS": the name goes on.
    if (
      /^\s+(?:\p{Ll}+(?:\s+(?:and|or)\b)?|and|or)\b/u.test(masked.slice(end, clause.rest.end)) &&
      !/^\s+(?:in|on|at|by|from|to|for|with|during|until|since|after|before|where|when|and|as|every|each|all|between|of)\b/.test(
        masked.slice(end, clause.rest.end),
      )
    )
      continue;
    if (/^\s+(?:and|or|of)\s/.test(masked.slice(end, clause.rest.end))) continue;
    if (match[1] === "on" && !/(?:Street|Road|Avenue|Lane|Island|Square|River|Coast|Earth|Mars|Moon)\b/.test(place))
      continue;
    const born = /^\s*born\s+$/.test(masked.slice(clause.rest.start, start));
    // A place at the end, or right after the verb: elsewhere it belongs to a noun before it.
    if (!born && found.length > 1 && match !== found[0]) continue;
    const question = ask(page, clause, "Where", { without: [{ start, end }] });
    if (question.includes(",")) continue;
    facts.push({ rule: "where", questions: [question], start: end - match[2]!.length, end });
  }
  return facts;
}
