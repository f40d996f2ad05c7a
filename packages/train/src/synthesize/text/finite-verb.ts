import type { Token } from "./tokens.ts";
import { formOf, isNounToo, verbForms } from "./verbs.ts";
import { auxiliaries, conjunctions, determiners, isNounLike, prepositions } from "./words.ts";

/** Index of the verb of "Open both vents" and "Never put …"; null when it is no command. */
export function imperativeAt(words: readonly Token[]): number | null {
  const negated = /^(?:never|always)$/.test(words[0]!.lower)
    ? 1
    : words[0]!.lower === "do" && words[1]?.lower === "not"
      ? 2
      : words[0]!.lower === "please"
        ? 1
        : 0;
  const verb = words[negated];
  const lemma = verb && formOf(verb.lower, "base");
  const next = words[negated + 1]?.lower ?? "";
  if (lemma === undefined || auxiliaries.has(lemma)) return null;
  if (auxiliaries.has(next) || /^(?:of|and|or|,|:)$/.test(next)) return null;
  if (negated === 0 && isNounToo(lemma) && !determiners.has(next) && !/^(?:all|up|out|off|it|them)$/.test(next))
    return null;
  return negated;
}

/** Index of the finite verb; null when the subject cannot be told. */
export function finiteAt(words: readonly Token[]): number | null {
  let depth = 0;
  for (let i = 0; i < Math.min(words.length, 16); i++) {
    const { text, lower } = words[i]!;
    if (text === "(") depth++;
    if (text === ")") depth--;
    if (depth > 0 || text === ")") continue;
    if (/^[,;:–—]$/.test(text) || text === "-" || text === "|") return null;
    if (i === 0) continue;
    const before = wordBefore(words, i);
    if (auxiliaries.has(lower)) {
      if (before === "to" || (lower === "do" && before !== "we")) return null;
      return isNounLike(before) || /^(?:we|you|they|it|he|she|there|this|that|these|those|one|all|both)$/.test(before)
        ? i
        : null;
    }
    if (conjunctions.has(lower) && lower !== "and" && lower !== "or") return null;
    if (isFiniteVerb(words, i)) return i;
  }
  return null;
}

/** The word before, adverbs left out: "a repair normally takes". */
function wordBefore(words: readonly Token[], i: number): string {
  const before = words[i - 1]!.lower;
  return /(?:ly|also|now|often|always|never|still|only)$/.test(before) && i > 1 ? words[i - 2]!.lower : before;
}

export function isFiniteVerb(words: readonly Token[], i: number): boolean {
  const { lower, text } = words[i]!;
  if (/^\p{Lu}/u.test(text)) return false;
  const found = verbForms(lower);
  const before = wordBefore(words, i);
  const next = words[i + 1]?.lower ?? "";
  if (found.length === 0 || !isNounLike(before) || auxiliaries.has(next) || /^(?:of|,)$/.test(next)) return false;
  if (/^(?:and|or)$/.test(next) && found.some(({ lemma }) => isNounToo(lemma))) return false;
  const pronoun = /^(?:we|you|they|i|who)$/.test(before);
  if (found.some(({ form }) => form === "past")) {
    // "The cups made in Braga are …": a later auxiliary makes it a participle.
    const later = words
      .slice(i + 1)
      .findIndex(
        ({ lower: word, text: mark }) => auxiliaries.has(word) || conjunctions.has(word) || /^[,;:]$/.test(mark),
      );
    if (!found.some(({ form }) => form === "participle")) return true;
    if (later >= 0 && auxiliaries.has(words[i + 1 + later]!.lower)) return false;
    // "information provided with the sandals": a participle that needs an object has none.
    if (
      /^(?:with|for|in|on|at|to|from|within|under|during|between)$/.test(next) &&
      /^(?:include|provide|use|build|design|make|find|cause|require|need|print|contain|hold|give|define|describe|specify|list|add|buy|order|sell|pay)$/.test(
        found[0]!.lemma,
      )
    )
      return false;
    // "Orders placed later leave on Monday", "damage caused by frost".
    const near = words.slice(i + 1, later < 0 ? undefined : i + 1 + later);
    return (
      next !== "by" &&
      !near.some(
        ({ lower: word }, j) =>
          j > 0 &&
          prepositions.has(near[0]!.lower) === false &&
          !determiners.has(near[0]!.lower) &&
          verbForms(word).some(({ lemma, form }) => form !== "gerund" && form !== "participle" && !isNounToo(lemma)),
      )
    );
  }
  const third = found.find(({ form }) => form === "third");
  const plural = /(?:[^su]s|men|people|children|teeth|feet|mice|data)$/.test(before);
  // "The price increases changed …": a noun.
  if (third && verbForms(next).some(({ form }) => form === "past")) return false;
  if (third)
    return (
      !plural &&
      !(
        isNounToo(third.lemma) &&
        !/^(?:the|a|an|to|in|on|for|with|from|by|at|our|your|its|all|each|every|\p{L}+ly|\d.*)$/u.test(next)
      )
    );
  return found.some(
    ({ form, lemma }) =>
      form === "base" &&
      (pronoun ||
        (plural && !isNounToo(lemma)) ||
        (plural && /^(?:the|a|an|in|on|for|with|from|to|at|our|your|all|after|\d.*)$/.test(next))),
  );
}
