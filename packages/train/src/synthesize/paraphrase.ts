import type { Passage } from "@clara/core";
import { type Random, random } from "../random.ts";
import { hashOf } from "./draft-pairs.ts";
import { isPluralName, keyText, recordFields } from "./rules/records.ts";
import { parseClause } from "./text/clause.ts";
import { layout } from "./text/layout.ts";
import { mask, tidy } from "./text/mask.ts";
import { lowerFirst } from "./text/question.ts";
import { sentences } from "./text/sentences.ts";
import { wordsInLowerCase } from "./text/subject.ts";

/** A passage said again in other words. */
export interface Paraphrase {
  readonly id: string;
  /** Id of the passage. */
  readonly passage: string;
  readonly text: string;
}

// What may stand for each other in a sentence, whatever is around.
const exchanges: readonly (readonly [RegExp, string])[] = [
  [/\bin order to\b/g, "to"],
  [/\bapproximately\b/g, "about"],
  [/\bfor example\b/g, "for instance"],
  [/\bprior to\b/g, "before"],
  [/\ba large number of\b/g, "many"],
];

/**
 * Restates passages by rules: records and `key: value` lines as sentences, sentences with what led them moved to their
 * end ("In 2019, it opened" → "It opened in 2019") and reasons moved to their beginning. A passage of which less than
 * `least` of the sentences changes is left out: repeating a text teaches nothing.
 *
 * @param least 0 to 1. @default 0.3
 */
export function draftParaphrases(
  passages: readonly Passage[],
  { seed = 0, least = 0.3 }: { seed?: number; least?: number } = {},
): Paraphrase[] {
  const common = wordsInLowerCase(passages);
  return passages.flatMap((passage) => {
    const said: string[] = [];
    let changed = 0;
    const masked = mask(passage.text);
    const rng = random(seed, hashOf(passage.id), 2);
    for (const part of layout(passage.text)) {
      if (part.kind === "code" || part.kind === "table" || part.kind === "heading") continue;
      if (part.kind === "record") {
        const [named, ...rest] = recordFields(passage.text, part);
        if (named === undefined || rest.length < 2) continue;
        const value = ({ start, end }: { start: number; end: number }): string => tidy(passage.text.slice(start, end));
        const name = value(named.value);
        said.push(
          ...rest.map((field, i) =>
            fieldSentence(keyText(field.key), value(field.value), i === 0 ? name : null, isPluralName(name), rng),
          ),
        );
        changed += rest.length;
        continue;
      }
      for (const sentence of sentences(masked, part.start, part.end)) {
        const before = tidy(masked.slice(sentence.start, sentence.end));
        const after = restate(masked, sentence, common);
        if (after !== null && after !== before) changed++;
        said.push(after ?? before);
      }
    }
    return said.length === 0 || changed / said.length < least
      ? []
      : [{ id: `${passage.id}/paraphrase`, passage: passage.id, text: said.join(" ") }];
  });
}

/** "Weight: 290 g" of the "Rain Jacket" → "It weighs 290 g." */
function fieldSentence(key: string, value: string, name: string | null, many: boolean, rng: Random): string {
  const ends = /[.!?]$/.test(value);
  if (/[.!?]\s/.test(value) || ends || value.split(" ").length > 12) return ends ? value : `${value}.`;
  const it = name ?? (many ? "They" : "It");
  const s = many ? "" : "s";
  if (key === "price" || key === "cost") return `${it} cost${s} ${value}.`;
  if (key === "weight" && /\d/.test(value)) return `${it} weigh${s} ${value}.`;
  if (key === "material") return `${it} ${many ? "are" : "is"} made of ${value}.`;
  if (/^(?:sizes|colou?rs)$/.test(key))
    return rng.chance(0.5)
      ? `${it} ${many ? "come" : "comes"} in ${value}.`
      : `The ${key}${name === null ? "" : ` of ${name}`} are ${value}.`;
  const be = /[^su]s$/.test(key) ? "are" : "is";
  if (name !== null) return `The ${key} of ${name} ${be} ${value}.`;
  return rng.chance(0.5) ? `${many ? "Their" : "Its"} ${key} ${be} ${value}.` : `The ${key} ${be} ${value}.`;
}

function restate(masked: string, sentence: { start: number; end: number }, common: ReadonlySet<string>): string | null {
  const whole = tidy(masked.slice(sentence.start, sentence.end));
  const clause = parseClause(masked, sentence);
  const because = /^(.{12,}?),? because (.{8,})\.$/.exec(whole);
  if (because && !/^(?:because|if|when)\b/i.test(whole))
    return `Because ${because[2]}, ${lowerFirst(because[1]!, common)}.`;
  const condition = /^(.{12,}?) (if|when|once|unless) ([^,]{8,})\.$/.exec(whole);
  if (condition && !/,/.test(whole))
    return `${condition[2]![0]!.toUpperCase()}${condition[2]!.slice(1)} ${condition[3]}, ${lowerFirst(condition[1]!, common)}.`;
  if (clause?.lead) {
    const lead = tidy(masked.slice(clause.lead.start, clause.lead.end));
    const from = clause.imperative ? clause.rest.start : clause.subject.start;
    const start = clause.imperative ? clause.subject.start : from;
    const rest = tidy(masked.slice(start, sentence.end)).replace(/[.!]$/, "");
    if (!/[,;:]/.test(rest)) return `${rest[0]!.toUpperCase()}${rest.slice(1)} ${lowerFirst(lead, common)}.`;
  }
  let text = whole;
  for (const [from, to] of exchanges) text = text.replace(from, to);
  return text === whole ? null : text;
}
