import type { Fact } from "../pair.ts";
import { parseClause } from "../text/clause.ts";
import type { Part } from "../text/layout.ts";
import { tidy, trimRange } from "../text/mask.ts";
import { quantities } from "../text/quantities.ts";
import { finish, lowerFirst, type Page } from "../text/question.ts";
import type { Span } from "../text/sentences.ts";
import { formOf } from "../text/verbs.ts";

/** Items of lists: steps by their number, counted things, terms with their explanation. */
export function itemFacts(page: Page, part: Part, next: Part | null): Fact[] {
  return [...termFacts(page, part), ...countFacts(page, part), ...stepFacts(page, part, next)];
}

/** "**Term** – what it is" */
function termFacts(page: Page, { start, end }: Span): Fact[] {
  const raw = page.text.slice(start, end);
  const match = /^(\*\*[^*\n]{2,60}\*\*|`[^`\n]{2,60}`|__[^_\n]{2,60}__)\s*(?:[:–—-])\s+(.{8,220})$/su.exec(raw);
  if (!match) return [];
  const from = start + raw.length - match[2]!.length;
  const value = trimRange(page.text, from, end);
  const term = tidy(page.masked.slice(start, start + match[1]!.length)).replace(/:$/, "");
  if (!value || !/\s/.test(page.text.slice(value.start, value.end))) return [];
  const isName = /^`/.test(match[1]!);
  const description = page.text.slice(value.start, value.end);
  // "**Avoid harsh soap**: do not …" explains a rule, not a word.
  if (/^(?:if|when|while|on|in)\b/i.test(description)) return [];
  if (
    !isName &&
    (term.split(" ").length > 3 ||
      !/^(?:(?:An?|The|Any|One)\b|\p{Ll})/u.test(description) ||
      parseClause(page.masked, value) !== null)
  )
    return [];
  return [
    {
      rule: "definition",
      questions: isName
        ? [finish(`What does ${term} do`), finish(`What is ${term}`)]
        : [finish(`What is ${lowerFirst(term, page.common)}`)],
      ...value,
    },
  ];
}

/** "- 14 aluminium pegs" below "What is in the bag" */
function countFacts(page: Page, { start, end }: Span): Fact[] {
  const quantity = quantities(page.masked, start, end)[0];
  if (quantity?.kind !== "count" || quantity.start !== start) return [];
  const to = page.masked.indexOf(quantity.noun, quantity.end) + quantity.noun.length;
  const about = page.heading === null ? null : place(page.heading);
  return [{ rule: "count", questions: [finish(`How many ${quantity.noun} ${about ?? "are there"}`)], start, end: to }];
}

/** What a heading lets one ask of the things under it. */
function place(heading: string): string | null {
  const inside = /^what(?:['’]s| is) (in|inside|included in|included with) (.+?)\??$/i.exec(heading);
  if (inside) return `are ${inside[1]!.toLowerCase()} ${inside[2]}`;
  if (/^(?:(?:package|box|kit) contents|contents|included(?: items)?|what(?:['’]s| is) included\??)$/i.test(heading))
    return "are included";
  return null;
}

const ordinals = ["", "first", "second", "third", "fourth", "fifth", "sixth"];

/** Steps of numbered instructions under "Pitching the tent" or "How to …". */
function stepFacts(page: Page, part: Part, next: Part | null): Fact[] {
  const { number = 0 } = part;
  if (number === 0 || page.heading === null) return [];
  const range = trimRange(page.text, part.start, part.end);
  const first = page.masked.slice(part.start, part.end).trim().split(/\s/)[0]?.toLowerCase() ?? "";
  if (!range || range.end - range.start > 220 || formOf(first, "base") === undefined) return [];
  const words = page.heading.split(" ");
  const gerund = formOf(words[0]!.toLowerCase(), "gerund");
  const task =
    gerund !== undefined && words.length > 1 ? `${words[0]!.toLowerCase()} ${words.slice(1).join(" ")}` : null;
  if (task === null) return [];
  const ordinal = ordinals[number] ?? "";
  const isLast = next?.number !== number + 1;
  const questions = [
    finish(`What is step ${number} of ${task}`),
    ...(ordinal === "" ? [] : [finish(`What is the ${ordinal} step in ${task}`)]),
    ...(isLast && number > 2 ? [finish(`What is the last step in ${task}`)] : []),
  ];
  return [{ rule: "list", questions, ...range, certain: true }];
}
