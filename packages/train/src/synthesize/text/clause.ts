import { restOf } from "./clause-end.ts";
import { finiteAt, imperativeAt } from "./finite-verb.ts";
import type { Span } from "./sentences.ts";
import { type Token, tokens } from "./tokens.ts";
import { isParticiple, thirdOf, verbForms } from "./verbs.ts";
import { auxiliaries, be } from "./words.ts";

/** A simple sentence taken apart as far as turning it into a question needs. Offsets point into the masked passage. */
export interface Clause {
  /** What stands before the subject: "In 2019", "If it rains"; without its comma. */
  readonly lead: Span | null;
  /** Empty for an imperative, whose subject is "you". */
  readonly subject: Span;
  readonly imperative: boolean;
  /** The finite auxiliary or form of be, in lower case; null when the verb stands alone. */
  readonly auxiliary: string | null;
  /** Lemma of the verb that stands alone. */
  readonly lemma: string;
  /** How the verb that stands alone is written. */
  readonly form: "base" | "third" | "past";
  /** After the finite verb, up to where another clause begins. */
  readonly rest: Span;
  /** Words of the rest. */
  readonly words: readonly Token[];
  /** What follows "because", when the sentence says so. */
  readonly reason: Span | null;
}

const subordinators = new Set(
  "if when once unless although though while whereas because as after before since until where for in on at by from to with without during under over within since despite among throughout between along".split(
    " ",
  ),
);
const timeLead =
  /^(?:(?:In|On|Since|By|Until|Before|After|During|At)\s+(?:early |late |mid-)?(?:the\s+)?(?:(?:\d{1,2}(?:st|nd|rd|th)?\s+)?(?:January|February|March|April|May|June|July|August|September|October|November|December)(?:\s+\d{1,2})?(?:,?\s+\d{4})?|\d{4}s?)|(?:Last|Each|Every)\s+(?:year|month|week|day|summer|winter|spring|autumn|season|night|morning)|(?:Every|Each|On)\s+(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?)(?=\s)/;

/** @returns null when the sentence is no clause that can be turned safely. */
export function parseClause(masked: string, sentence: Span): Clause | null {
  const all = tokens(masked, sentence.start, sentence.end);
  while (all.length > 0 && !/[\p{L}\p{N}]/u.test(all[0]!.text) && !/^[€$£]/.test(all[0]!.text)) all.shift();
  if (all.length < 3 || all.length > 60 || all.at(-1)!.text === ":" || all.some(({ text }) => text === "?"))
    return null;
  if (
    auxiliaries.has(all[0]!.lower) ||
    /^(?:and|but|or|so|nor|yet|note|not|only|even|no|yes|thus|hence|then|how|what|why|who|which|that|there)$/.test(
      all[0]!.lower,
    ) ||
    (/^please$/.test(all[0]!.lower) && /^note$/.test(all[1]!.lower))
  )
    return null;
  const { lead, first } = leadOf(masked, sentence, all);
  const words = all.slice(first);
  const start = words[0];
  if (start === undefined || words.length < 3) return null;
  const imperative = imperativeAt(words);
  if (imperative === null && words[0]!.lower === "please") return null;
  const at = imperative ?? finiteAt(words);
  if (at === null) return null;
  const verb = words[at]!;
  const auxiliary = imperative === null && auxiliaries.has(verb.lower) ? verb.lower : null;
  const next = words[at + 1];
  // "has 5 doors": the verb itself.
  const ownsHave =
    auxiliary !== null &&
    /^ha(?:s|ve|d)$/.test(auxiliary) &&
    !(next && (isParticiple(next.lower) || /^(?:not|also|been|never|always|since|now)$/.test(next.lower)));
  const alone = auxiliary === null || ownsHave;
  const forms = verbForms(verb.lower);
  const form =
    forms.find((known) => known.form === "past") ??
    forms.find((known) => known.form === "third") ??
    forms.find((known) => known.form === "base");
  if (alone && form === undefined) return null;
  const { rest, reason } = restOf(masked, words.slice(at + 1), verb.end);
  return {
    lead,
    subject:
      imperative === null
        ? { start: start.start, end: words[subjectEnd(words, at) - 1]!.end }
        : { start: start.start, end: start.start },
    imperative: imperative !== null,
    auxiliary: alone ? null : auxiliary,
    lemma: alone ? form!.lemma : "",
    form: imperative === null && alone ? (form!.form as Clause["form"]) : "base",
    rest,
    words: tokens(masked, rest.start, rest.end),
    reason,
  };
}

/** Adverbs between subject and verb belong to neither: "The treaty also established". */
function subjectEnd(words: readonly Token[], at: number): number {
  let end = at;
  while (
    end > 1 &&
    /(?:..ly|^also|^then|^therefore|^thus|^still|^now|^later|^soon|^often|^always|^usually|^first|^once|^again)$/.test(
      words[end - 1]!.lower,
    ) &&
    !/^(?:family|supply|assembly|july|italy|fly|reply|monopoly|anomaly)$/.test(words[end - 1]!.lower)
  )
    end--;
  return end;
}

function leadOf(masked: string, { end }: Span, all: readonly Token[]): { lead: Span | null; first: number } {
  const start = all[0]!.start;
  const time = timeLead.exec(masked.slice(start, end));
  if (time) {
    const to = start + time[0].length;
    const next = all.findIndex((token) => token.start >= to);
    const first = all[next]?.text === "," ? next + 1 : next;
    // "In 2024 and 2025 …" goes on.
    if (first > 0 && !/^(?:and|or|to|through|of|at|from|after|when|until)$/.test(all[first]?.lower ?? ""))
      return { lead: { start, end: to }, first };
  }
  if (
    !subordinators.has(all[0]!.lower) &&
    !/^(?:additionally|however|therefore|moreover|also|furthermore|finally|today|currently|usually|typically|note)$/.test(
      all[0]!.lower,
    )
  )
    return { lead: null, first: 0 };
  const comma = all.findIndex(({ text }) => text === ",");
  if (comma < 0 || comma > 16) return { lead: null, first: all.length };
  const linking = comma === 1;
  return { lead: linking ? null : { start, end: all[comma - 1]!.end }, first: comma + 1 };
}
/** The auxiliary that a question begins with, and what is left of the verb after the subject. */
export function inversion(clause: Clause): { auxiliary: string; verb: string } {
  const { auxiliary, lemma, form, imperative } = clause;
  if (imperative) return { auxiliary: "should", verb: lemma };
  if (auxiliary !== null)
    return { auxiliary: auxiliary === "cannot" ? "can" : auxiliary, verb: auxiliary === "cannot" ? "not" : "" };
  if (form === "past") return { auxiliary: "did", verb: lemma };
  return { auxiliary: form === "base" ? "do" : "does", verb: lemma };
}

/** The verb as it is after "who" and "what": singular. */
export function singularVerb({ auxiliary, lemma, form }: Clause): string {
  if (auxiliary !== null)
    return auxiliary === "are"
      ? "is"
      : auxiliary === "were"
        ? "was"
        : auxiliary === "have"
          ? "has"
          : auxiliary === "do"
            ? "does"
            : auxiliary;
  return form === "past" ? "" : thirdOf(lemma);
}

export function isBe({ auxiliary }: Clause): boolean {
  return auxiliary !== null && be.has(auxiliary);
}
