import type { Fact } from "../pair.ts";
import { tidy, trimRange } from "../text/mask.ts";
import { finish, lowerFirst, type Page } from "../text/question.ts";
import type { Span } from "../text/sentences.ts";
import { formOf } from "../text/verbs.ts";
import { determiners, isPerson, prepositions } from "../text/words.ts";

/** A named value: a cell, a line `key: value`. */
export interface Field {
  readonly key: string;
  readonly value: Span;
}

/** `Name: value; Other: value` of text[start, end). */
export function recordFields(text: string, { start, end }: Span): Field[] {
  const fields: Field[] = [];
  // A value may hold "; " itself: a new field begins only where a short name and a colon follow.
  const boundary = /(?:^|; )(?=([^:;\n.!?]{1,48}): )/g;
  const part = text.slice(start, end);
  const begins = [...part.matchAll(boundary)];
  for (const [i, match] of begins.entries()) {
    const from = match.index + match[0].length;
    const value = from + match[1]!.length + 2;
    const to = begins[i + 1]?.index ?? part.length;
    const range = trimRange(text, start + value, start + to);
    if (range) fields.push({ key: match[1]!.trim(), value: range });
  }
  return fields;
}

/** One line `**Key**: value`. */
export function entryField(text: string, masked: string, { start, end }: Span): Field | null {
  const colon = masked.indexOf(":", start);
  const value = colon < 0 || colon >= end ? null : trimRange(text, colon + 1, end);
  const key = tidy(masked.slice(start, Math.max(start, colon)));
  return value && key !== "" && key.split(" ").length <= 6 ? { key, value } : null;
}

const naming = /^(?:name|title|label|subject|term|headline|(?:product|item|article|model)(?:[ _-]?(?:name|title))?)$/i;
const identifying = /(?:^|[\s_-])(?:id|uuid|url|link|href|image|path|slug|hash|index|doc|file)$|^(?:id|#|no\.?)$/i;
const prose = /^(?:description|summary|text|body|content|details|notes?|comment|abstract|question|answer)s?$/i;

/** Fields of one record: each is asked about by the name that the record has. */
export function recordFacts(page: Page, fields: readonly Field[]): Fact[] {
  const { text } = page;
  const question = fields.find(({ key }) => /^(?:question|q)$/i.test(key));
  const answer = fields.find(({ key }) => /^(?:answer|a|response|reply)$/i.test(key));
  if (question && answer) {
    const asked = tidy(text.slice(question.value.start, question.value.end));
    return [{ rule: "faq", questions: [`${asked.replace(/[?.\s]+$/, "")}?`], ...answer.value, certain: true }];
  }
  const named = fields.find(({ key }) => naming.test(key)) ?? fields[0];
  if (named === undefined) return [];
  const entity = tidy(text.slice(named.value.start, named.value.end));
  if (entity.split(" ").length > 10 || /^[\d.,\s-]+$/.test(entity)) return [];
  const [only, ...more] = fields.filter((field) => field !== named);
  // A table of properties: the row's name is what is asked for, of what the page is about.
  if (only && more.length === 0 && /^(?:value|amount|details?|setting)$/i.test(only.key))
    return fieldFact(page, { key: entity, value: only.value }, page.subject ?? "", "record");
  return fields.filter((field) => field !== named).flatMap((field) => fieldFact(page, field, entity, "record"));
}

/** A lone `key: value` line is about what the page is about. */
export function entryFacts(page: Page, field: Field): Fact[] {
  const said = page.text.slice(field.value.start, field.value.end);
  // Code, a page's own title, or a promise ("Reliable performance: consistent and reliable") rather than a value.
  if (
    naming.test(field.key) ||
    /=>|[{}[\]|;]|\($|^['"`(]/.test(said) ||
    /\b(?:to|let|const|var|type)\b/i.test(field.key)
  )
    return [];
  const words = said.split(/\s+/);
  if (words.length > 8 && !/\d/.test(said)) return [];
  const key = field.key.toLowerCase().split(" ");
  if (words.length > 2 && key.some((word) => word.length > 3 && said.toLowerCase().includes(word.replace(/s$/, ""))))
    return [];
  // "What is the weight?" asks for too much where nothing says of what.
  if (page.subject === null && key.length < 2) return [];
  return fieldFact(page, field, page.subject ?? "", "record");
}

/** One value of one thing, asked for in the words that fit the key. */
export function fieldFact(
  page: Page,
  { key, value }: Field,
  entity: string,
  rule: "record" | "table" | "setting",
): Fact[] {
  const { text } = page;
  const said = text.slice(value.start, value.end);
  if (
    said.split(/\s+/).length > 14 ||
    said.length > 120 ||
    identifying.test(key) ||
    prose.test(key) ||
    !/[\p{L}\p{N}]/u.test(said) ||
    /https?:|[.!?]\s/.test(said) ||
    isCommand(said)
  )
    return [];
  if (
    !/^\p{L}/u.test(key) ||
    /^(?:note|warning|tip|important|example|step|for example|e\.g|caution|and|but|or|if|the following)\b/i.test(key) ||
    /\b(?:is|are|can|will|must|should|following|you|this|it)\b/i.test(key)
  )
    return [];
  const attribute = keyText(key);
  return [
    { rule, questions: fieldQuestions(page, attribute, said, entity), ...value, certain: true, entity, attribute },
  ];
}

/** "hold both buttons": what to do, not what something is. */
function isCommand(said: string): boolean {
  const [first = "", second = ""] = said.toLowerCase().split(/\s+/);
  return formOf(first, "base") !== undefined && determiners.has(second);
}

/** "Price (EUR)" → "price", "sizeInCm" → "size in cm". */
export function keyText(key: string): string {
  const words = key
    .replace(/\s*\([^)]*\)/g, "")
    .replace(/[_]+/g, " ")
    .replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2")
    .trim();
  return words
    .split(/\s+/)
    .map((word) => (word.length > 1 && word === word.toUpperCase() ? word : word.toLowerCase()))
    .join(" ")
    .replace(/ available$/, "");
}

function fieldQuestions(page: Page, attribute: string, said: string, entity: string): string[] {
  const it = entity === "" ? "" : withArticle(entity, page.common);
  const of = it === "" ? "" : `of ${it}`;
  const many = isPluralName(entity);
  const does = many ? "do" : "does";
  const is = many ? "are" : "is";
  const upper = (word: string): string => `${word[0]!.toUpperCase()}${word.slice(1)}`;
  const usual = [
    `What is the ${attribute} ${of}`,
    ...(it === "" || attribute.includes(" ") ? [] : [`What ${attribute} ${does} ${it} have`]),
  ];
  const plural = /[^su]s$/.test(attribute);
  const all = plural
    ? [`What are the ${attribute} ${of}`, ...(it === "" ? [] : [`Which ${attribute} ${does} ${it} have`])]
    : usual;
  const ways = ((): string[] => {
    const words = attribute.split(" ");
    if (prepositions.has(words.at(-1)!)) {
      const are = /[^su]s$/.test(entity) || / and /.test(entity) ? "are" : "is";
      return it !== "" && words.length === 2 && words[1] === "for" && /\d\s?(?:day|week|month|year|hour)/.test(said)
        ? [`How long ${are} ${it} ${words[0]}`]
        : [];
    }
    if (/^(?:not )?included\b|^sold separately/i.test(said))
      return it === ""
        ? []
        : [
            `Is the ${attribute} included with ${it}`,
            `${upper(does)} ${it} come with ${plural ? "" : /^[aeiou]/.test(attribute) ? "an" : "a"} ${attribute}`,
          ];
    if (/(?:proof|resistant|able|ible|ful|y to \w+)$/.test(attribute) && !/^(?:yes|no)\b/i.test(said)) return [];
    if (/^(?:yes|no)\b/i.test(said))
      return it === ""
        ? []
        : /(?:proof|able|ible|resistant|free|safe|friendly|adjustable|certified|tested|rechargeable|foldable|reversible|vegan|handmade)$/.test(
              attribute,
            )
          ? [`${upper(is)} ${it} ${attribute}`]
          : [
              `${upper(does)} ${it} have ${/^(?:a|an|the) /.test(attribute) || plural ? "" : /^[aeiou]/.test(attribute) ? "an" : "a"} ${attribute}`,
            ];
    if (/\bprice$|^cost$|^costs$/.test(attribute))
      return it === ""
        ? [`What is the ${attribute}`, `How much is it`].slice(0, 1)
        : [`How much ${does} ${it} cost`, `What is the price of ${it}`, `How much ${is} ${it}`];
    if (/^(?:\w+ )?weight$/.test(attribute) && /\d/.test(said))
      return it === "" || attribute !== "weight"
        ? [`What is the ${attribute} ${of}`]
        : [`How much ${does} ${it} weigh`, `What is the weight of ${it}`, `How heavy ${is} ${it}`];
    if (/^colou?rs?$/.test(attribute))
      return it === ""
        ? [`What ${attribute} is available`]
        : plural
          ? [`Which ${attribute} ${does} ${it} come in`, `In what ${attribute} ${is} ${it} available`]
          : [`What ${attribute} ${is} ${it}`];
    if (/^sizes?$/.test(attribute))
      return it === ""
        ? [`What ${attribute} is it`]
        : plural
          ? [`Which sizes ${does} ${it} come in`, `In which sizes ${is} ${it} available`]
          : [`What size ${is} ${it}`, `What is the size of ${it}`];
    if (/^materials?$|^fabrics?$/.test(attribute))
      return it === ""
        ? [`What is the ${attribute}`]
        : [`What ${is} ${it} made of`, `What material ${is} ${it} made of`];
    if (/^(?:brand|manufacturer|maker)$/.test(attribute))
      return it === "" ? [`What is the ${attribute}`] : [`Which brand makes ${it}`, `What is the brand of ${it}`];
    if (/^(?:author|inventor|founder|director|owner|ceo|president|manager|contact|editor|publisher)$/i.test(attribute))
      return [`Who is the ${attribute} ${of}`];
    if (/^(?:category|type|kind|class|group)$/.test(attribute))
      return it === ""
        ? [`What is the ${attribute}`]
        : [`What ${attribute} of product ${is} ${it}`, `Which ${attribute} ${does} ${it} belong to`].slice(1);
    if (/^(?:height|width|depth|length)$/.test(attribute) && it !== "")
      return [
        `What is the ${attribute} ${of}`,
        `How ${{ height: "tall", width: "wide", depth: "deep", length: "long" }[attribute]} ${is} ${it}`,
      ];
    if (/^number of /.test(attribute) && /^\d|^(?:one|two|three|four|five|six)/i.test(said))
      return [`How many ${attribute.slice(10)} ${does} ${it} have`, `What is the ${attribute} ${of}`].slice(
        it === "" ? 1 : 0,
      );
    if (/\bdates?$|^(?:founded|released|published|updated|created|opened|built|born|died)$/.test(attribute))
      return /dates?$/.test(attribute)
        ? [`What is the ${attribute} ${of}`]
        : it === ""
          ? []
          : [`When ${many ? "were" : "was"} ${it} ${attribute}`];
    if (/^(?:location|place|address|venue|city)$/.test(attribute))
      return it === "" ? [`What is the ${attribute}`] : [`Where ${is} ${it}`, `What is the ${attribute} ${of}`];
    if (/^(?:warranty|guarantee)(?: period)?$/.test(attribute) && /\d|year|month/.test(said))
      return it === ""
        ? [`How long is the ${attribute}`]
        : [`How long is the ${attribute} on ${it}`, `What is the ${attribute} ${of}`];
    if (/^(?:opening hours|hours|opening times)$/.test(attribute))
      return it === "" ? [`What are the ${attribute}`] : [`What are the ${attribute} ${of}`, `When ${is} ${it} open`];
    if (/(?:^|\s)temperature|capacity|range$/.test(attribute)) return [`What is the ${attribute} ${of}`];
    return all;
  })();
  return ways.map((way) => finish(way));
}

/** "Climbing Shorts", "Hiking Trousers Men" */
export function isPluralName(name: string): boolean {
  const words = name.toLowerCase().split(/\s+/);
  const last = /^(?:men|women|kids)$/.test(words.at(-1)!) && words.length > 1 ? words.at(-2)! : words.at(-1)!;
  return /[^su]s$/.test(last) || / and /.test(name);
}

/** "the TrailMaster X4 Tent", "Tarnmoor": a name whose last word is a common noun takes an article. */
export function withArticle(name: string, common: ReadonlySet<string>): string {
  if (/^(?:the|a|an|our|your|my)\s/i.test(name)) return `${name[0]!.toLowerCase()}${name.slice(1)}`;
  const words = name.split(/\s+/);
  // "Weak flame", "Boots and shoes": no name, whatever its first letter.
  if (words.slice(1).some((word) => /^\p{Ll}/u.test(word) && !/^(?:of|the|and|for|de|in)$/.test(word)))
    return common.has(words[0]!.toLowerCase()) || !common.has(words.at(-1)!) ? lowerFirst(name, common) : `the ${name}`;
  if (words.length < 2 || isPerson(name)) return name;
  const last = (/^(?:men|women|kids|[\d.]+)$/i.test(words.at(-1)!) ? words.at(-2)! : words.at(-1)!).toLowerCase();
  return common.has(last) || common.has(`${last}s`) || common.has(last.replace(/s$/, "")) ? `the ${name}` : name;
}
