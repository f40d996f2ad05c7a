import { ClaraError } from "@clara/core";

/** Compares a prediction with one gold answer; 0 to 1. */
export type AnswerMeasure = (prediction: string, gold: string) => number;

// The ASCII punctuation of Python's `string.punctuation`: deleted, so that "co-op" becomes "coop".
const punctuation = /[!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]/g;
// JavaScript's `\b` knows ASCII only: "thé a" would lose a part of a word.
const articles = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu;
// What Python's `split()` splits at; JavaScript's `\s` has U+FEFF more and U+0085 and the separators 1C to 1F less.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are whitespace to the reference.
const whitespace = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/u;
const booleans: ReadonlyMap<string, string> = new Map([
  ["True", "yes"],
  ["False", "no"],
]);
const verdicts: ReadonlySet<string> = new Set(["yes", "no", "noanswer"]);

/** Words between white space, as the reference's language splits a text: at U+0085 and the separators too, and not at U+FEFF. */
export function splitWords(text: string): string[] {
  return text.split(whitespace).filter((word) => word !== "");
}

/**
 * Lower case, without ASCII punctuation, without the words a, an and the, with single spaces.
 *
 * @see Rajpurkar et al. 2016, "SQuAD", §6.1. https://arxiv.org/abs/1606.05250
 */
export function normalizeAnswer(text: string): string {
  return splitWords(text.toLowerCase().replace(punctuation, "").replace(articles, " ")).join(" ");
}

/** Only the exact spellings "True" and "False" are mapped, and before normalising: "true" stays "true", as in the reference. */
function comparable(text: string): string {
  return normalizeAnswer(booleans.get(text) ?? text);
}

/** 1 when the normalised texts are equal, else 0. */
export function exactMatch(prediction: string, gold: string): number {
  return comparable(prediction) === comparable(gold) ? 1 : 0;
}

/** 1 when every word of the gold answer is somewhere in the prediction, in any order; an empty gold answer is covered by all. */
export function coverMatch(prediction: string, gold: string): number {
  const said = new Set(splitWords(comparable(prediction)));
  return splitWords(comparable(gold)).every((word) => said.has(word)) ? 1 : 0;
}

/**
 * Harmonic mean of precision and recall over words, counted with repetition.
 * 0 when the texts differ and one is yes, no or noanswer; 0 when both are empty.
 */
export function f1Score(prediction: string, gold: string): number {
  const said = comparable(prediction);
  const wanted = comparable(gold);
  if (said !== wanted && (verdicts.has(said) || verdicts.has(wanted))) return 0;
  const saidWords = splitWords(said);
  const wantedWords = splitWords(wanted);
  const left = new Map<string, number>();
  for (const word of wantedWords) left.set(word, (left.get(word) ?? 0) + 1);
  let common = 0;
  for (const word of saidWords) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    common++;
  }
  if (common === 0) return 0;
  const precision = common / saidWords.length;
  const recall = common / wantedWords.length;
  return (2 * precision * recall) / (precision + recall);
}

/**
 * The best of a measure over all gold answers. (The reference looks at the first gold answer only.)
 *
 * @throws ClaraError "option" when there is no gold answer.
 */
export function bestOf(measure: AnswerMeasure, prediction: string, answers: readonly string[]): number {
  if (answers.length === 0) {
    throw new ClaraError("option", "bestOf: needs at least 1 gold answer, got 0; leave unanswerable records out");
  }
  return Math.max(...answers.map((gold) => measure(prediction, gold)));
}
