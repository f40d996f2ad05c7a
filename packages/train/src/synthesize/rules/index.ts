import type { Fact } from "../pair.ts";
import { type Clause, parseClause } from "../text/clause.ts";
import { layout, type Part } from "../text/layout.ts";
import { tidy } from "../text/mask.ts";
import { isAskable, type Page } from "../text/question.ts";
import { type Span, sentences } from "../text/sentences.ts";
import { dialogueFacts, headingFacts } from "./headings.ts";
import { itemFacts } from "./lists.ts";
import { nameFacts } from "./names.ts";
import { numberFacts } from "./numbers.ts";
import { entryFacts, entryField, recordFacts, recordFields } from "./records.ts";
import { codeFacts, settingFacts } from "./settings.ts";
import { statementFacts } from "./statements.ts";
import { tableFacts } from "./tables.ts";

/** Everything that the rules find in one passage, in the order of the text; questions that read badly are left out. */
export function factsOf(page: Page): Fact[] {
  const parts = layout(page.text);
  const facts: Fact[] = [];
  let heading = page.heading;
  for (const [i, part] of parts.entries()) {
    const here: Page = { ...page, heading };
    const next = parts[i + 1] ?? null;
    switch (part.kind) {
      case "heading":
        heading = tidy(page.masked.slice(part.start, part.end));
        if (next?.kind === "paragraph") facts.push(...headingFacts(here, part, next));
        break;
      case "table":
        facts.push(...tableFacts(here, part));
        break;
      case "code":
        facts.push(...codeFacts(here, part, part.language ?? ""));
        break;
      case "record": {
        const fields = recordFields(page.text, part);
        facts.push(...recordFacts(here, fields));
        for (const { value } of fields) if (value.end - value.start > 40) facts.push(...proseFacts(here, value));
        break;
      }
      case "entry": {
        const field = entryField(page.text, page.masked, part);
        if (field) facts.push(...entryFacts(here, field));
        facts.push(...settingFacts(here, part));
        break;
      }
      case "item":
        facts.push(...itemFacts(here, part, next), ...settingFacts(here, part), ...proseFacts(here, part));
        break;
      case "paragraph":
        facts.push(...dialogueFacts(here, part), ...settingFacts(here, part), ...proseFacts(here, part));
    }
  }
  return facts.flatMap((fact) => readable(page, fact)).sort((a, b) => a.start - b.start || a.end - b.end);
}

function proseFacts(page: Page, part: Span | Part): Fact[] {
  return sentences(page.masked, part.start, part.end).flatMap((sentence) => {
    const clause: Clause | null = parseClause(page.masked, sentence);
    if (clause === null || !isClear(page, clause)) return [];
    return [...numberFacts(page, clause), ...nameFacts(page, clause), ...statementFacts(page, clause)];
  });
}

/** Subjects that a reader of the question alone would not understand. */
function isClear({ masked }: Page, clause: Clause): boolean {
  if (clause.imperative) return true;
  const subject = tidy(masked.slice(clause.subject.start, clause.subject.end));
  if (
    /^(?:it|he|she|they|this|that|these|those|there|here|i|one|some|others?|another|both|such|each|what|who|which|all|many|most|its|his|her|their|my|neither|either|none|everything|nothing|anything|now|then|however)$/i.test(
      subject,
    )
  )
    return false;
  if (
    /^\p{L}+(?:ly|ing)\s/u.test(subject) &&
    !/^(?:family|supply|assembly)\s/i.test(subject) &&
    (/^\p{L}+ly\s/u.test(subject) || clause.form === "past")
  )
    return false;
  if (/\byourself\b/i.test(subject)) return false;
  if (/\b(?:no longer|you \p{Ll}+|we \p{Ll}+|\p{Ll}+ you)\b/iu.test(subject)) return false;
  return (
    !/^(?:this|these|that|those|its|his|her|their|such|my|another|other|the (?:other|latter|former|following|above|same)|as|to|by|if|so)\s/i.test(
      subject,
    ) &&
    !/\b(?:it|they|them|this|these|he|she)\b/i.test(subject) &&
    subject.split(" ").length <= 12
  );
}

function readable({ text }: Page, fact: Fact): Fact[] {
  const answer = text.slice(fact.start, fact.end);
  if (
    answer.length > 260 ||
    answer.split(/\s+/).length > 45 ||
    /\]\(|\n\s*\n/.test(answer) ||
    !/[\p{L}\p{N}]/u.test(answer)
  )
    return [];
  const opened = (answer.match(/[([]/g) ?? []).length;
  if (opened !== (answer.match(/[)\]]/g) ?? []).length && !fact.certain) return [];
  if (/(?:^|\s)(?:and|or|of|to|the|an?|that|how|as|with|for|in|on|by|from|even)$/i.test(answer) && !fact.certain)
    return [];
  if (fact.rule !== "faq" && /^(?:it|this|that|they|them|these|those|he|she|him|her|one|so|there|i)$/i.test(answer))
    return [];
  const questions = [...new Set(fact.questions)].filter((question) =>
    fact.rule === "faq" ? question.length > 5 : isAskable(question, answer),
  );
  return questions.length === 0 ? [] : [{ ...fact, questions }];
}
