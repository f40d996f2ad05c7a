import type { Fragment } from "@clara/generator";
import type { Random } from "../random.ts";
import { changeQuestion } from "./change-question.ts";
import { crop, type Range, wordRanges } from "./crop.ts";
import type { SpanRecord } from "./span-record.ts";

/** What a reader is shown once. */
export interface ReadingExample {
  readonly id: string;
  readonly question: string;
  readonly texts: readonly string[];
  /** Of each text, where the reader is shown them. */
  readonly titles?: readonly string[] | undefined;
  /** All in one sequence, in this order. */
  readonly fragments: readonly Fragment[];
  /** Where in `texts` the answer is; null when the fragments do not have it. */
  readonly answer: (Range & { readonly evidence: number }) | null;
}

/** The shares of each kind of example; they add up to 1. */
export interface ReadingMix {
  /** The text whole, or a run of its words around the answer. */
  readonly whole: number;
  /** Windows of the text, and now and then of others: what is read when memories point at them. */
  readonly windows: number;
  /** Another text of the subject, as like the question as can be. */
  readonly other: number;
  /** The text without the sentence that answers. */
  readonly removed: number;
  /** The text with a question that it seems to answer. */
  readonly changed: number;
}

/** Texts by subject. */
export interface ReadingCorpus {
  /** Different texts of the group, in the order of the records. */
  texts(group: string): readonly string[];
  /** What the question's words say about a text, or about the words of one (`wordSet`). */
  overlap(question: string): (text: string | ReadonlySet<string>) => number;
  /** Questions about a text. */
  questions(text: string): readonly SpanRecord[];
}

export interface DrawOptions {
  readonly mix: ReadingMix;
  /** Words of a text at most: the rest around the answer is cut off. @default 220 */
  readonly mostWords?: number;
  /** Share of the whole texts that are cut to a shorter run. @default 0.35 */
  readonly cropped?: number;
  /** Share of the examples whose fragments stand under their title. @default 0; of `readingTask` 1 where the model is shown titles */
  readonly titled?: number;
}

/** One example made from a record; kinds that do not apply to it become `whole`. */
export function drawExample(
  record: SpanRecord,
  corpus: ReadingCorpus,
  { titled = 0, ...options }: DrawOptions,
  rng: Random,
): ReadingExample {
  const example = drawUntitled(record, corpus, options, rng);
  // Texts of one group are under one title, as far as anyone knows.
  return titled > 0 && rng.chance(titled)
    ? { ...example, titles: example.texts.map(() => record.title ?? "") }
    : example;
}

function drawUntitled(
  record: SpanRecord,
  corpus: ReadingCorpus,
  { mix, mostWords = 220, cropped = 0.35 }: DrawOptions,
  rng: Random,
): ReadingExample {
  const { id, question, text, answer } = record;
  const whole = (): ReadingExample => {
    const words = rng.chance(cropped) ? 40 + rng.below(90) : mostWords;
    const range = crop(text, words, rng, answer ?? undefined);
    return {
      id,
      question,
      texts: [text],
      fragments: [{ evidence: 0, ...range }],
      answer: answer && { evidence: 0, ...answer },
    };
  };
  if (answer === null) return whole();
  const kind = chooseKind(mix, rng);
  const said = text.slice(answer.start, answer.end);
  const others = corpus.texts(record.group).filter((other) => other !== text);
  if (kind === "windows") return windows(record, others, rng);
  if (kind === "other") {
    const overlap = corpus.overlap(question);
    const silent = others.filter((other) => !mentions(other, said));
    const tried = Array.from({ length: Math.min(12, silent.length) }, () => rng.pick(silent));
    const best = tried.reduce<string | undefined>(
      (a, b) => (a === undefined || overlap(b) > overlap(a) ? b : a),
      undefined,
    );
    if (best !== undefined) return without(id, question, best, crop(best, rng.chance(0.5) ? 80 : mostWords, rng));
  }
  if (kind === "removed") {
    const rest = removeSentence(text, answer);
    if (rest !== null && !mentions(rest, said)) return without(id, question, rest, crop(rest, mostWords, rng));
  }
  if (kind === "changed") {
    const asked = rng.chance(0.35)
      ? borrowQuestion(record, others, corpus, rng)
      : changeQuestion(question, text, others, rng);
    if (asked !== null) return without(id, asked, text, crop(text, rng.chance(0.35) ? 90 : mostWords, rng, answer));
  }
  return whole();
}

function chooseKind(mix: ReadingMix, rng: Random): keyof ReadingMix {
  let left = rng.next();
  for (const [kind, share] of Object.entries(mix) as [keyof ReadingMix, number][]) {
    left -= share;
    if (left < 0) return kind;
  }
  return "whole";
}

function without(id: string, question: string, text: string, range: Range): ReadingExample {
  return { id, question, texts: [text], fragments: [{ evidence: 0, ...range }], answer: null };
}

/** One to three windows of the text, four in five times with the answer in one; now and then some of other texts. */
function windows(record: SpanRecord, others: readonly string[], rng: Random): ReadingExample {
  const { id, question, text, answer } = record;
  const ranges: Range[] = [];
  const shown = rng.chance(0.8);
  if (shown) ranges.push(crop(text, 14 + rng.below(60), rng, answer!));
  for (let more = rng.below(3) + (shown ? 0 : 1); more > 0; more--) {
    const range = crop(text, 14 + rng.below(40), rng);
    const free = ranges.every(({ start, end }) => range.end <= start || range.start >= end);
    const hides = shown || range.end <= answer!.start || range.start >= answer!.end;
    if (free && hides) ranges.push(range);
  }
  const texts = [text];
  const fragments: Fragment[] = ranges.sort((a, b) => a.start - b.start).map((range) => ({ evidence: 0, ...range }));
  const strangers = rng.chance(0.3) || fragments.length === 0 ? 1 + rng.below(3) : 0;
  const said = text.slice(answer!.start, answer!.end);
  for (let i = 0; i < strangers && others.length > 0; i++) {
    const other = rng.pick(others);
    if (mentions(other, said)) continue;
    const fragment = { evidence: texts.length, ...crop(other, 14 + rng.below(50), rng) };
    texts.push(other);
    if (rng.chance(0.5)) fragments.push(fragment);
    else fragments.unshift(fragment);
  }
  if (fragments.length === 0) fragments.push({ evidence: 0, ...crop(text, 60, rng, answer!) });
  const inside = fragments.some(
    ({ evidence, start, end }) => evidence === 0 && start <= answer!.start && end >= answer!.end,
  );
  return { id, question, texts, fragments, answer: inside ? { evidence: 0, ...answer! } : null };
}

/** The text without the sentence that a range is in; null when nothing much is left. */
export function removeSentence(text: string, { start, end }: Range): string | null {
  const boundaries = [...text.matchAll(/(?<=[.!?]["'”’)]?)\s+(?=["'“‘(]?\p{Lu})/gu)].map(
    ({ 0: gap, index }) => index + gap.length,
  );
  const from = boundaries.findLast((offset) => offset <= start) ?? 0;
  const to = boundaries.find((offset) => offset >= end) ?? text.length;
  const rest = `${text.slice(0, from)}${text.slice(to)}`.trim();
  return wordRanges(rest).length < 15 ? null : rest;
}

/** A question about another text of the subject that this text does not answer. */
function borrowQuestion(
  record: SpanRecord,
  others: readonly string[],
  corpus: ReadingCorpus,
  rng: Random,
): string | null {
  if (others.length === 0) return null;
  const silent = Array.from({ length: 6 }, () => rng.pick(corpus.questions(rng.pick(others)))).filter(
    ({ question, text, answer }) =>
      answer !== null && question !== record.question && !mentions(record.text, text.slice(answer.start, answer.end)),
  );
  const like = (question: string): number => corpus.overlap(question)(record.text);
  const best = silent.reduce<SpanRecord | undefined>(
    (a, b) => (a === undefined || like(b.question) > like(a.question) ? b : a),
    undefined,
  );
  return best?.question ?? null;
}

function mentions(text: string, said: string): boolean {
  return text.toLowerCase().includes(said.toLowerCase());
}
