import type { Quote } from "@clara/core";
import { declineSentence } from "./chat-prompt.ts";

/** What a reply to `chatPrompt` says. */
export interface ChatReply {
  /** Without its quotes; never empty. */
  readonly answer: string;
  /** What it claims to have copied from the documents, as it wrote it. */
  readonly claims: readonly string[];
  /** Whether it says that the documents do not have the answer. */
  readonly declined: boolean;
}

/** A part of an evidence's text that the model was shown. */
export interface ShownPart {
  /** Id of the evidence. */
  readonly evidence: string;
  readonly text: string;
  /** Where it begins in the evidence's text. */
  readonly start: number;
}

/** Where quotes begin: `Quote:` at the start of a line, in bold or in a list too, or before quotation marks. */
const quoteMark = /(?:^|\n)[\s>*_#•-]*quotes?[\s*_\d]*:[*_]*|\squotes?[*_]*:[*_]*\s*(?=["“„«])/i;
const quoted = /["“„«]([^"“”„«»]+)["”“»]/g;

/** Takes a reply apart, as models write it: with what they were thinking before, in bold, with headings of their own. */
export function readReply(text: string): ChatReply {
  const [head = "", ...tails] = text.replace(/^[\s\S]*<\/think>/, "").split(quoteMark);
  const lines = tails.flatMap((tail) => tail.split("\n")).map(bare);
  const claimed = lines.filter((line) => line !== "");
  const said = head
    .trim()
    .replace(/^[*_#\s]*answer[*_]*\s*:[*_]*\s*/i, "")
    .trim();
  const answer = said === "" ? (claimed[0] ?? text.trim()) : said;
  const inside = [...said.matchAll(quoted)].map(([, words]) => bare(words!));
  // "…" stands for words that were left out: what is around it are quotes of their own.
  const claims = [...claimed, ...inside].flatMap((words) => words.split(/\[?(?:…|\.\.\.)\]?/)).map(bare);
  return { answer, claims: claims.filter((words) => words !== ""), declined: declines(said) };
}

/** Where the claims stand in what was shown; those that stand nowhere are left out, and so is what says nothing. */
export function quotesOfReply({ answer, claims }: ChatReply, shown: readonly ShownPart[]): Quote[] {
  const telling = claims.filter((words) => /\s/.test(words) || plain(answer).includes(plain(words)));
  const found = telling.flatMap((words) => locate(words, shown) ?? []);
  // Who answers in the document's own words has quoted them. A lone word beside a quote that was invented is chance.
  if (found.length === 0 && (claims.length === 0 || /\s/.test(answer)))
    found.push(...(locate(bare(answer), shown) ?? []));
  return found.filter(
    (quote, i) => !found.some((other, j) => j !== i && holds(other, quote) && (j < i || !holds(quote, other))),
  );
}

const nothingHere = [
  /^(?:(?:i am|i'm) )?(?:sorry|unfortunately)?,? ?(?:but )?(?:based on |according to |in )?(?:the |these |those |this |any of the |none of the )?(?:provided |given |available |supplied )?(?:documents?|texts?|context|passages?|sources?|information|excerpts?)(?: provided| given| above)? (?:does not|do not|doesn't|don't|did not|didn't|cannot|can't) (?:appear to |seem to |explicitly |directly |actually )?(?:say|state|mention|contain|have|hold|include|provide|specify|give|tell|answer|offer|cover|indicate|list|address|show)\b/,
  /^none of the (?:provided |given )?(?:documents|texts|passages|sources) (?:say|state|mention|contain|have|include|provide|specify|give|answer|cover|indicate)/,
  /^(?:sorry,? )?(?:but )?(?:there is|there's|there are|i see|i find|i found) no (?:answer|information|mention|details?|data|indication)\b/,
  /^(?:(?:i am|i'm) )?(?:sorry,? )?(?:but )?i (?:do not|don't|cannot|can't|could not|couldn't|am unable to) (?:know|find|answer|determine|tell)\b/,
  /^(?:it |this |that |the answer |this information |the information )?(?:is |was )?not (?:mentioned|stated|specified|found|given|provided|said|available|included|listed|answered) (?:anywhere )?(?:in|by) (?:any of )?(?:the|these|those|this) (?:provided |given )?(?:documents?|texts?|context|passages?|sources?|information|excerpts?)\b/,
  /^(?:the answer |this |it )?(?:is )?not (?:mentioned|stated|specified)$/,
];

/** Whether an answer is that there is none. */
function declines(answer: string): boolean {
  const said = plain(answer);
  return said.startsWith(plain(declineSentence)) || nothingHere.some((pattern) => pattern.test(said));
}

function plain(text: string): string {
  return text
    .toLowerCase()
    .replace(/[’‘]/g, "'")
    .replace(/[*_"“”„«»]/g, "")
    .replace(/\s+/g, " ")
    .replace(/[\s.!]+$/, "")
    .trim();
}

/** Without quotation marks, bullets and bold around it, and without the mark that ends its sentence. */
function bare(words: string): string {
  return words
    .trim()
    .replace(/^(?:[-•>]\s+|\d+[.)]\s+)/, "")
    .replace(/^[\s"“”„«»*_`'‘]+|[\s"“”„«»*_`'’.,;:!?]+$/g, "");
}

/** As whole words, whatever the case, the white space and the kind of its quotation marks and dashes. */
function locate(words: string, shown: readonly ShownPart[]): Quote[] | undefined {
  // A yes or no stands in many places and says nothing of any.
  if (words === "" || /^(?:yes|no)$/i.test(words)) return undefined;
  const pattern = words.split(/\s+/).map(tolerant).join("\\s+");
  const whole = new RegExp(`(?<![\\p{L}\\p{N}])${pattern}(?![\\p{L}\\p{N}])`, "iu");
  for (const { evidence, text, start } of shown) {
    const found = whole.exec(text);
    if (!found) continue;
    const at = start + found.index;
    return [{ evidence, text: found[0], start: at, end: at + found[0].length }];
  }
  return undefined;
}

const alike = [/['’‘]/g, /["“”„«»]/g, /[-‐‑–—]/g].map((one) => [one, one.source] as const);

function tolerant(word: string): string {
  const literal = word.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  return alike.reduce((pattern, [one, any]) => pattern.replace(one, any), literal);
}

function holds(outer: Quote, inner: Quote): boolean {
  return outer.evidence === inner.evidence && outer.start <= inner.start && inner.end <= outer.end;
}
