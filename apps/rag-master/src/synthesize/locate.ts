/** Where in a text a quote stands; several places: the one whose surroundings say most of the question. Null for nowhere. */
export function locate(text: string, quote: string, question = ""): { start: number; end: number } | null {
  const bare = quote
    .trim()
    .replace(/^["“'‘]+|["”'’]+$/g, "")
    .trim();
  // The full stop belongs to the sentence, unless it is an abbreviation's.
  const variants = [/\p{L}\.\p{L}\.$/u.test(bare) ? bare : bare.replace(/[.!]+$/, ""), bare].filter(
    (variant) => variant !== "",
  );
  const words = new Set(question.toLowerCase().match(/[\p{L}\p{N}]{3,}/gu) ?? []);
  for (const variant of variants) {
    // Letter case and white space do not count; word borders do: "is" is not in "this".
    const pattern = variant
      .split(/\s+/)
      .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
      .join("\\s+");
    const found = [...text.matchAll(new RegExp(`(?<![\\p{L}\\p{N}])${pattern}(?![\\p{L}\\p{N}])`, "giu"))];
    const near = (at: number): number =>
      (
        text
          .slice(Math.max(0, at - 150), at + 150)
          .toLowerCase()
          .match(/[\p{L}\p{N}]{3,}/gu) ?? []
      ).filter((word) => words.has(word)).length;
    const best = found.reduce<{ index: number; length: number; score: number } | null>((a, { 0: whole, index }) => {
      const score = near(index);
      return a === null || score > a.score ? { index, length: whole.length, score } : a;
    }, null);
    if (best) return { start: best.index, end: best.index + best.length };
  }
  return null;
}

/** Numbers and names of a text: what a paraphrase may not lose and an answer may not invent. */
export function keyWords(text: string): string[] {
  const found = text.match(/\p{N}[\p{N}.,:]*\p{N}|\p{N}|(?<=[\p{Ll},;]\s)\p{Lu}[\p{L}\p{N}-]+/gu) ?? [];
  return [...new Set(found)];
}
