import type { ReadingCorpus } from "./draw-example.ts";
import type { SpanRecord } from "./span-record.ts";

/** Puts records in order by subject and counts words, once. */
export function readingCorpus(records: readonly SpanRecord[]): ReadingCorpus {
  const byGroup = new Map<string, Set<string>>();
  const byText = new Map<string, SpanRecord[]>();
  for (const record of records) {
    append(byText, record.text, record);
    let texts = byGroup.get(record.group);
    if (texts === undefined) {
      texts = new Set();
      byGroup.set(record.group, texts);
    }
    texts.add(record.text);
  }
  const groups = new Map([...byGroup].map(([group, texts]) => [group, [...texts]]));
  const words = new Map([...byText.keys()].map((text) => [text, wordSet(text)]));
  const frequency = new Map<string, number>();
  for (const set of words.values()) for (const word of set) frequency.set(word, (frequency.get(word) ?? 0) + 1);
  const idf = (word: string): number => Math.log(1 + words.size / (1 + (frequency.get(word) ?? 0)));
  return {
    texts: (group) => groups.get(group) ?? [],
    questions: (text) => byText.get(text) ?? [],
    overlap(question) {
      const asked = [...new Set(wordsOf(question))].map((word) => [word, idf(word)] as const);
      const all = asked.reduce((sum, [, weight]) => sum + weight, 0);
      return (text) => {
        const has = typeof text === "string" ? (words.get(text) ?? wordSet(text)) : text;
        return all === 0 ? 0 : asked.reduce((sum, [word, weight]) => sum + (has.has(word) ? weight : 0), 0) / all;
      };
    },
  };
}

/** The words of a text that is asked about more than once. */
export function wordSet(text: string): ReadonlySet<string> {
  return new Set(wordsOf(text));
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
