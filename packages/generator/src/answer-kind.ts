/** What a question asks for, where its words say so. */
export type AnswerKind = "number" | "name" | "other";

const numberAsked =
  /\bhow (?:many|much|long|far|old|tall|heavy|high|wide|deep|big|large|fast|hot|cold|often|late|early|soon)\b|\bwhen\b|\b(?:what|which) (?:\w+ ){0,3}(?:year|date|day|month|time|age|price|percentage|percent|number|amount|rate|cost|size|temperature|version|century|decade)\b|\bat what time\b|\bphone\b/i;
const nameAsked =
  /\b(?:who|whom|whose|where)\b|\b(?:what|which) (?:\w+ ){0,3}(?:person|country|city|town|state|company|team|author|name|band|artist|actor|actress|president|king|queen|place|album|song|film|movie|book|university|school)\b|\bname of\b/i;

/** A digit, or a number in words from which dates and counts are made. */
const number =
  /\p{N}|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred|thousand|million|billion|half|once|twice)\b/iu;
/** A word with a capital letter that does not begin a sentence. */
const name = /[\p{Ll}\p{N},;:)"'] +\p{Lu}/u;

/** @param question in English; in other languages it is "other" */
export function answerKind(question: string): AnswerKind {
  if (numberAsked.test(question)) return "number";
  return nameAsked.test(question) ? "name" : "other";
}

/** Whether a window of text can hold an answer of the kind. */
export function holdsKind(kind: AnswerKind, window: string): boolean {
  if (kind === "number") return number.test(window);
  return kind === "name" && name.test(window);
}
