import { type Tokenizer, wordPiece } from "@clara/model";
import type { SpanRecord } from "./span-record.ts";

const towns = ["Arden", "Boras", "Celle", "Delft"];
const buildings = ["bridge", "tower", "mill", "school"];
const people = ["Adams", "Baker", "Clark", "Davis", "Evans", "Frost", "Green", "Hughes"];
const family = ["Anna", "Bruno"];

/**
 * Three questions about each of 16 texts, four of each town. An answer is in its text once, and in no other; the first two are
 * answered by the first sentence, the third by the second.
 */
export const townRecords: readonly SpanRecord[] = towns.flatMap((town, g) =>
  buildings.flatMap((building, i): SpanRecord[] => {
    const number = g * 4 + i;
    const person = `${family[number % 2]} ${people[number >> 1]}`;
    const [year, count] = [String(1800 + number), String(310 + number)];
    const text =
      `The ${building} of ${town} was opened in ${year} by ${person}. ` +
      `It stands near the old market and holds ${count} guests. ` +
      `Many visitors come every spring, and they see the garden and the lake.`;
    const asked = (question: string, answer: string): SpanRecord => {
      const start = text.indexOf(answer);
      const id = `${town} ${building} ${answer}`;
      return { id, question, text, title: town, answer: { start, end: start + answer.length }, group: town };
    };
    return [
      asked(`Who opened the ${building} of ${town}?`, person),
      asked(`When was the ${building} of ${town} opened?`, year),
      asked(`How many guests does the ${building} of ${town} hold?`, count),
    ];
  }),
);

/** The pieces of `townTokenizer`, by id: every word of the records, and what is special. */
export const townWords: readonly string[] = [
  ...new Set([
    ...["[PAD]", "[UNK]", "[CLS]", "[SEP]"],
    ...townRecords
      .flatMap(({ text, question, title }) => [text, question, title!])
      .flatMap((text) => text.toLowerCase().match(/\w+|[^\w\s]/g)!),
  ]),
];

/** One token for each word and sign. */
export const townTokenizer: Tokenizer = wordPiece({
  added_tokens: [],
  normalizer: {
    ...{ type: "BertNormalizer", clean_text: true, handle_chinese_chars: true },
    ...{ strip_accents: null, lowercase: true },
  },
  pre_tokenizer: { type: "BertPreTokenizer" },
  model: { type: "WordPiece", vocab: Object.fromEntries(townWords.map((word, id) => [word, id])) },
});

/** Tokens as words. */
export function wordsOf(ids: Iterable<number>): string {
  return Array.from(ids, (id) => townWords[id]!).join(" ");
}

/** A text as its tokens say it. */
export function townText(text: string): string {
  return wordsOf(townTokenizer.encode(text).ids);
}
