import type { Passage } from "@clara/core";

/** Words that the passages write in lower case somewhere: a capital letter makes none of them a name. */
export function wordsInLowerCase(passages: readonly Passage[]): ReadonlySet<string> {
  const common = new Set<string>();
  for (const { text } of passages)
    for (const [word] of text.matchAll(/(?<![\p{L}\p{N}@./_-])\p{Ll}[\p{L}'’-]+(?![@/_]|\.\p{L})/gu)) common.add(word);
  return common;
}

const empty =
  /^(?:information|introduction|overview|about|readme|index|contents?|guide|user guide|manual|documentation|docs|notes?|faq|technical specs?|specifications?|features|general|summary|details|page \d+|untitled|home|main|data|document|part|chapter|section|usage|examples?|reference|settings|options|configuration|.*item_?number.*|.*[_/{}].*)$/i;

/**
 * What a document is about: the name of several words that it says most often, in at least two passages or three
 * times; else its title, when that is no "Introduction". Null when neither is there.
 */
export function subjectOf(passages: readonly Passage[], common: ReadonlySet<string>): string | null {
  const counts = new Map<string, { times: number; passages: Set<string> }>();
  for (const { id, text } of passages) {
    for (const [name] of text.matchAll(
      /(?<=[a-z,;:]\s|^)\p{Lu}[\p{L}\p{N}-]+(?: (?:\p{Lu}[\p{L}\p{N}-]*|\d+)){1,4}(?![\p{L}\p{N}])/gmu,
    )) {
      const clean = name.replace(/^(?:The|This|Our|Your|A|An|Each|For|With|In|If)\s/, "");
      if (!clean.includes(" ") || empty.test(clean) || clean.split(" ").every((word) => common.has(word.toLowerCase())))
        continue;
      const count = counts.get(clean) ?? { times: 0, passages: new Set() };
      count.times++;
      counts.set(clean, { ...count, passages: count.passages.add(id) });
    }
  }
  const [best] = [...counts].sort(
    ([a, x], [b, y]) => y.passages.size - x.passages.size || y.times - x.times || (a < b ? -1 : 1),
  );
  if (
    best &&
    best[1].times >= 3 &&
    best[1].passages.size >= Math.min(2, passages.length) &&
    best[1].passages.size * 4 >= passages.length
  )
    return best[0];
  const title =
    passages[0]?.title
      .split(" > ")[0]
      ?.split(/[:|–—]/)[0]
      ?.trim() ?? "";
  return title === "" || empty.test(title) || title.split(" ").length > 6 || title.endsWith("?") ? null : title;
}
