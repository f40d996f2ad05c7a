import type { Fact } from "../pair.ts";
import { trimRange } from "../text/mask.ts";
import { finish, type Page } from "../text/question.ts";
import type { Span } from "../text/sentences.ts";

const identifier = String.raw`\x60([\w$][\w.$[\]-]*|--?[a-z][\w-]*)\x60`;
const after = [
  new RegExp(
    String.raw`${identifier}[^.\n]{0,60}?\(?(?:which\s+|and\s+)?(?:defaults? to|default(?: value)?(?: is|:)|by default is)\s+(\x60[^\x60\n]+\x60|\*\*[^*\n]+\*\*|\d[\w.%]*(?:\s(?:ms|seconds?|minutes?|hours?|days?))?|true|false|null|undefined)`,
    "giu",
  ),
  new RegExp(
    String.raw`[Dd]efault(?: value)?s? (?:of|for) (?:the )?${identifier}(?: option| setting| property)? is (\x60[^\x60\n]+\x60|\*\*[^*\n]+\*\*|\d[\w.%]*)`,
    "gu",
  ),
];
const before = new RegExp(
  String.raw`[Dd]efault ${identifier} of (\*\*[^*\n]+\*\*|\x60[^\x60\n]+\x60|\d[\w.%]*(?:\s(?:ms|seconds?|minutes?|hours?|days?))?)`,
  "gu",
);

/** "`retry` … defaults to `3`": what programs' documents say of their settings. */
export function settingFacts(page: Page, { start, end }: Span): Fact[] {
  const facts: Fact[] = [];
  for (const pattern of [...after, before]) {
    for (const match of page.text.slice(start, end).matchAll(pattern)) {
      const from = start + match.index + match[0].lastIndexOf(match[2]!);
      const value = trimRange(page.text, from, from + match[2]!.length);
      if (value) facts.push(setting(match[1]!, value));
    }
  }
  return facts;
}

function setting(name: string, value: Span): Fact {
  return {
    rule: "setting",
    questions: [
      finish(`What is the default value of ${name}`),
      finish(`What does ${name} default to`),
      finish(`What is the default ${name}`),
    ],
    ...value,
    certain: true,
    entity: name,
    attribute: "default value",
  };
}

const configLanguages = new Set([
  "yaml",
  "yml",
  "toml",
  "ini",
  "env",
  "properties",
  "conf",
  "json",
  "json5",
  "jsonc",
  "dotenv",
]);

/** Lines `name: value` and `NAME=value` of a block in a language for settings. */
export function codeFacts(page: Page, { start, end }: Span, language: string): Fact[] {
  if (!configLanguages.has(language)) return [];
  const facts: Fact[] = [];
  const seen = new Set<string>();
  const line =
    /^[ \t]*(?:- )?(?:export )?"?([A-Za-z_][\w.-]{2,40})"?\s*[:=][ \t]*("[^"\n]*"|'[^'\n]*'|[^\s#,{}[\]][^#,{}[\]\n]*?)[ \t]*,?[ \t]*(?:#.*)?$/gm;
  for (const match of page.text.slice(start, end).matchAll(line)) {
    const name = match[1]!;
    const from = start + match.index + match[0].lastIndexOf(match[2]!);
    const range = trimRange(page.text, from, from + match[2]!.length);
    // The same name twice is two settings of different parts.
    if (!range || seen.has(name)) continue;
    seen.add(name);
    facts.push({
      rule: "setting",
      questions: [finish(`What is ${name} set to`), finish(`What is the value of ${name}`)],
      ...range,
      certain: true,
      entity: name,
      attribute: "value",
    });
  }
  return facts;
}
