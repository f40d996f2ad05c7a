import stem from "wink-porter2-stemmer";
import { stopWords } from "./stop-words.ts";

/** Turns text into the terms that are counted and looked up. The same analyzer must read passages and questions. */
export interface Analyzer {
  /** Name and version. Kept in snapshots: an index made with another analyzer is refused, never silently misread. */
  readonly id: string;
  /** Terms in order, repetitions included. */
  analyze(text: string): string[];
}

/**
 * English words: lower case, no accents, no stop words, Porter2 stems.
 *
 * - **Accents** are folded: `café` and `cafe` are one term. Only marks above and below letters go (U+0300–036F), so letters
 *   of their own such as `ß`, `ø` and `ł` stay. Width and ligature forms are unified: `ﬁ` is `fi`.
 * - **Numbers and codes**: parts joined by `-`, `_` or `.` with a digit among them give the parts and the whole.
 *   `X-200` gives `x`, `200` and `x200`, so that `X-200`, `X200` and `x 200` find each other; `3.14` gives `3`, `14` and
 *   `3.14`; `1,299` gives `1`, `299` and `1299`.
 * - **Chinese, Japanese, Korean** are written without spaces that search can use: each run becomes its overlapping pairs
 *   of characters (`東京都` gives `東京`, `京都`); a run of one is kept.
 * - **Contractions**: `'s`, `'re`, … are dropped, `don't` and its like are dropped whole, as stop words are.
 * - Emoji and punctuation give no terms. Thai, Lao and Khmer are not segmented.
 */
export const englishAnalyzer: Analyzer = {
  id: "english-1",
  analyze(text) {
    const terms: string[] = [];
    for (const word of normalise(text).match(words) ?? []) addTerms(word, terms);
    return terms;
  },
};

/** A word, or several joined by a hyphen, underscore, dot or the comma of thousands. */
const words =
  /[\p{L}\p{N}][\p{L}\p{N}\p{M}]*(?:(?:[-._]|(?<=\p{N}),(?=\p{N}{3}(?!\p{N})))[\p{L}\p{N}][\p{L}\p{N}\p{M}]*)*/gu;
const joiners = /[-._,]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: plain ASCII text skips the dear steps
const beyondAscii = /[^\x00-\x7f]/;
/** Accents of Latin, Greek and Cyrillic; variation selectors and enclosing marks of emoji. Not the vowels of Indic scripts. */
const marks = /[\u0300-\u036f\u20d0-\u20f0\ufe00-\ufe0f]/g;
const contractions = /\p{L}+n['\u2019]t(?![\p{L}\p{N}])|['\u2019](?:s|t|d|ll|m|re|ve)(?![\p{L}\p{N}])/gu;
const pairedScripts = /[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Hang}]/u;
const runs = /[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Hang}]+|[^\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Hang}]+/gu;

function normalise(text: string): string {
  // Lower case first and last: some capitals decompose into a letter and a mark when lowered.
  const plain = beyondAscii.test(text)
    ? text.normalize("NFKD").toLowerCase().normalize("NFKD").replace(marks, "").normalize("NFC")
    : text.toLowerCase();
  return plain.includes("'") || plain.includes("\u2019") ? plain.replace(contractions, " ") : plain;
}

function addTerms(word: string, terms: string[]): void {
  if (!joiners.test(word)) {
    addPart(word, terms);
    return;
  }
  for (const part of word.split(joiners)) addPart(part, terms);
  if (word.length <= 40 && /\p{N}/u.test(word)) terms.push(word.replace(/[-_,]/g, ""));
}

function addPart(part: string, terms: string[]): void {
  let term = known.get(part);
  if (term === undefined) {
    if (pairedScripts.test(part)) {
      addPairs(part, terms);
      return;
    }
    if (known.size >= MAX_KNOWN) known.clear();
    term = termOf(part);
    known.set(part, term);
  }
  if (term !== "") terms.push(term);
}

/** Words to their terms, "" for stop words. */
const known = new Map<string, string>();
/** Words remembered, at most: about 10 MB. A language has fewer; a stream of random strings must not grow it for ever. */
const MAX_KNOWN = 100_000;

function termOf(word: string): string {
  if (stopWords.has(word)) return "";
  // Porter2 knows English letters; anything else is a name, a number or another language.
  return word.length > 2 && word.length <= 40 && /^[a-z]+$/.test(word) ? stem(word) : word;
}

function addPairs(part: string, terms: string[]): void {
  for (const [run] of part.matchAll(runs)) {
    if (!pairedScripts.test(run)) {
      addPart(run, terms);
      continue;
    }
    const letters = [...run];
    if (letters.length === 1) terms.push(run);
    for (let i = 1; i < letters.length; i++) terms.push(letters[i - 1]! + letters[i]!);
  }
}
