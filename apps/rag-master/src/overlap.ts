import type { Analyzer } from "@clara/retrieval";

/**
 * How much of the question's words a text holds, 0–1, rare words counting more.
 *
 * In a small collection no word is common enough to be known as such, so a hundred unseen passages are added: a word's
 * weight goes from nearly equal for all towards the collection's own idf as it grows.
 *
 * @param idf the retriever's: ln(1 + (N − n + ½) / (n + ½))
 * @param size passages in the collection, `N`
 */
export function overlapWith(
  question: string,
  analyzer: Analyzer,
  idf: (term: string) => number,
  size: number,
): (text: string) => number {
  const weights = new Map([...new Set(analyzer.analyze(question))].map((term) => [term, weight(idf(term), size)]));
  const all = [...weights.values()].reduce((sum, value) => sum + value, 0);
  return (text) => {
    if (all === 0) return 0;
    let held = 0;
    for (const term of new Set(analyzer.analyze(text))) held += weights.get(term) ?? 0;
    return held / all;
  };
}

const unseen = 100;

function weight(idf: number, size: number): number {
  const odds = Math.exp(idf) - 1; // (N − n + ½) / (n + ½)
  const holding = Math.max(0, (size + 0.5 - 0.5 * odds) / (1 + odds)); // n
  return Math.log(1 + (size + unseen - holding - 0.5) / (holding + 1.5));
}
