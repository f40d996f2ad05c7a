import { isFiniteVerb } from "./finite-verb.ts";
import type { Span } from "./sentences.ts";
import type { Token } from "./tokens.ts";
import { isNounToo, verbForms } from "./verbs.ts";
import { auxiliaries, determiners, prepositions } from "./words.ts";

const breaking = new Set(
  "which who whose where when but so because while although though whereas making including such with as thanks due allowing ensuring providing giving or yet nor".split(
    " ",
  ),
);

/** Where the clause ends: another one begins, or "because" does. */
export function restOf(masked: string, words: readonly Token[], from: number): { rest: Span; reason: Span | null } {
  let end = words.at(-1)?.end ?? from;
  const last = words.at(-1);
  if (last && /^[.!]$/.test(last.text)) end = last.start;
  let reason: Span | null = null;
  for (const [i, { text, lower, start }] of words.entries()) {
    const next = words[i + 1];
    const because = lower === "because" && next?.lower !== "of";
    const someOf = text === "," && words[i + 2]?.lower === "of" && words[i + 3]?.lower === "whom";
    const clauseAfter =
      someOf ||
      (text === "," &&
        next !== undefined &&
        (breaking.has(next.lower) ||
          beginsClause(words, i + 1) ||
          /ing$/.test(next.lower) ||
          (/^(?:and|or)$/.test(next.lower) && (beginsClause(words, i + 2) || isVerbHere(words, i + 2)))));
    const verbAfter = lower === "and" && (isVerbHere(words, i + 1) || beginsClause(words, i + 1));
    if (because) reason = { start: next?.start ?? end, end };
    if (
      because ||
      clauseAfter ||
      verbAfter ||
      /^(?:but|whereas|although|though|while|so)$/.test(lower) ||
      /^[;:–—]$/.test(text) ||
      (text === "-" && masked[start - 1] === " ") ||
      (lower === "of" && next?.lower === "whom")
    ) {
      // "…, because": the reason is further on.
      if (!because && next?.lower === "because") reason = { start: words[i + 2]?.start ?? end, end };
      return { rest: { start: from, end: trimEnd(masked, from, start) }, reason };
    }
  }
  return { rest: { start: from, end: trimEnd(masked, from, end) }, reason };
}

/** "it needs", "the floor withstands", "you must": a subject and its verb. */
function beginsClause(words: readonly Token[], at: number): boolean {
  const rest = words.slice(at, at + 7);
  if (rest.length < 3 || (rest[0]!.text !== "," && prepositions.has(rest[0]!.lower))) return false;
  const stop = rest.findIndex(({ text }) => /^[,;:.]$/.test(text));
  const near = stop < 0 ? rest : rest.slice(0, stop);
  return near.some(
    ({ lower }, i) =>
      i > 0 &&
      (auxiliaries.has(lower) ||
        (verbForms(lower).some(({ form }) => form === "third" || form === "past") && isFiniteVerb(near, i))),
  );
}

function isVerbHere(words: readonly Token[], at: number): boolean {
  const word = words[at];
  if (word === undefined || /^\p{Lu}/u.test(word.text)) return false;
  if (auxiliaries.has(word.lower)) return true;
  const forms = verbForms(word.lower);
  const next = words[at + 1]?.lower ?? "";
  if (forms.length === 0) return false;
  if (forms.some(({ lemma }) => isNounToo(lemma))) return determiners.has(next) || prepositions.has(next);
  return forms.some(({ form }) => form !== "gerund");
}

function trimEnd(masked: string, from: number, end: number): number {
  let to = end;
  while (to > from && /[\s,]/.test(masked[to - 1]!)) to--;
  return to;
}
