/** Harmonic mean of precision and recall over words, counted with repetition; case, marks and articles do not count. */
export function tokenF1(said: string, wanted: string): number {
  const a = wordsOf(said);
  const b = wordsOf(wanted);
  const left = new Map<string, number>();
  for (const word of b) left.set(word, (left.get(word) ?? 0) + 1);
  let common = 0;
  for (const word of a) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    common++;
  }
  return common === 0 ? 0 : (2 * common) / (a.length + b.length);
}

function wordsOf(text: string): string[] {
  return text
    .toLowerCase()
    .split(/\s+/u)
    .map((word) => word.replace(/[^\p{L}\p{N}€$£%+]/gu, ""))
    .filter((word) => word !== "" && !/^(?:a|an|the)$/.test(word));
}
