import { ClaraError, type Passage } from "@clara/core";
import { random } from "../random.ts";
import { type Fact, type Pair, type RuleName, ruleNames } from "./pair.ts";
import { factsOf } from "./rules/index.ts";
import { mask, trimRange } from "./text/mask.ts";
import { subjectOf, wordsInLowerCase } from "./text/subject.ts";

export interface DraftOptions {
  /** @default 0 */
  readonly seed?: number;
  /** Ways of asking for one fact, at most; each makes a pair. @default 1 */
  readonly phrasings?: number;
  /** Rules that take part. @default all */
  readonly rules?: readonly RuleName[];
}

/** A pair with what unanswerable questions are made from. */
export interface Draft extends Pair {
  readonly entity: string | null;
  readonly attribute: string | null;
}

/**
 * Questions and answers that rules find in passages: the answer is always a slice of its passage. Which of several
 * phrasings is taken depends on the seed and the passage's id alone.
 *
 * @param passages all of a collection: what words are common, and what a document is about, is told from all of them
 * @returns in the order of the passages; in one passage, in the order of the text
 * @throws ClaraError "option" for an unknown rule or fewer than 1 phrasing
 */
export function draftPairs(passages: readonly Passage[], options: DraftOptions = {}): Draft[] {
  const { seed = 0, phrasings = 1, rules = ruleNames } = options;
  if (!(phrasings >= 1)) throw new ClaraError("option", `draftPairs: phrasings must be at least 1, got ${phrasings}`);
  const strange = rules.find((rule) => !ruleNames.includes(rule));
  if (strange !== undefined)
    throw new ClaraError("option", `draftPairs: rule "${strange}" is not known; there are ${ruleNames.join(", ")}`);
  const wanted = new Set(rules);
  const common = wordsInLowerCase(passages);
  const subjects = new Map<string, string | null>();
  const byDocument = Map.groupBy(passages, ({ document }) => document);
  const drafts: Draft[] = [];
  // A question that two passages answer says too little to be asked of a collection: the first one has it.
  const seen = new Set<string>();
  for (const passage of passages) {
    if (!subjects.has(passage.document))
      subjects.set(passage.document, subjectOf(byDocument.get(passage.document)!, common));
    const { text } = passage;
    const rng = random(seed, hashOf(passage.id));
    const heading = passage.title.split(" > ").at(-1) ?? "";
    const facts = factsOf({
      text,
      masked: mask(text),
      common,
      subject: subjects.get(passage.document)!,
      heading: heading === "" ? null : heading,
    });
    for (const fact of facts) {
      const place = trimRange(text, fact.start, fact.end);
      if (!wanted.has(fact.rule) || place === null) continue;
      for (const question of choose(fact, phrasings, rng)) {
        if (seen.has(question)) continue;
        seen.add(question);
        drafts.push({
          id: `${passage.id}/${fact.rule}/${place.start}-${hashOf(question).toString(36)}`,
          passage: passage.id,
          question,
          answer: text.slice(place.start, place.end),
          ...place,
          rule: fact.rule,
          certain: fact.certain ?? false,
          entity: fact.entity ?? null,
          attribute: fact.attribute ?? null,
        });
      }
    }
  }
  return drafts;
}

/** Different phrasings, the first drawn at random. */
function choose({ questions }: Fact, count: number, rng: ReturnType<typeof random>): string[] {
  const first = rng.below(questions.length);
  return questions.map((_, i) => questions[(first + i) % questions.length]!).slice(0, count);
}

/** FNV-1a, 32 bits: draws depend on a passage's id and not on its place in a list. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
