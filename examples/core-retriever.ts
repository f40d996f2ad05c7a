import { ClaraError, type Query, type Retriever, type SearchOptions, throwIfAborted } from "@clara/core";

/** Finds passages that contain the question's longest word. Anything with this shape can be searched. */
function longestWord(passages: ReadonlyMap<string, string>): Retriever {
  return {
    name: "longest-word",
    capabilities: { text: true, vector: false, filter: "none", exact: true, scoreKind: "weighted" },
    async search({ text }: Query, { k, filter, signal }: SearchOptions) {
      throwIfAborted(signal, "longestWord.search");
      if (!(k >= 1)) throw new ClaraError("option", `longestWord.search: k must be at least 1, got ${k}`);
      if (filter) throw new ClaraError("option", "longestWord.search: has no filters, got one; leave it out");
      const words = text.toLowerCase().match(/\p{L}+/gu) ?? [];
      const word = words.reduce((longest, next) => (next.length > longest.length ? next : longest), "");
      return [...passages]
        .map(([id, passage]) => ({ id, score: word === "" ? 0 : passage.toLowerCase().split(word).length - 1 }))
        .filter(({ score }) => score > 0)
        .sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1)) // ids order equal scores
        .slice(0, k)
        .map(({ id, score }, index) => ({ id, score, rank: index + 1, source: "longest-word" }));
    },
  };
}

const retriever = longestWord(
  new Map([
    ["returns", "Unworn jackets can be returned within 30 days. A returned jacket is checked first."],
    ["repairs", "A torn jacket is repaired. It is returned to you by post."],
    ["hours", "The shop opens at 10:00."],
  ]),
);
for (const hit of await retriever.search({ text: "Can it be returned?" }, { k: 2 })) console.log(hit);

try {
  await retriever.search({ text: "Can it be returned?" }, { k: 0 });
} catch (error) {
  if (error instanceof ClaraError) console.log(`${error.code}: ${error.message}`);
}
