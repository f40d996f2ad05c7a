import type { Evidence, Quote } from "@clara/core";

/**
 * Where the answer stands in the evidence, as whole words and whatever the case: in the first evidence that has it. None
 * where the model answered in other words, and for a yes or no, which says nothing of where it stands.
 */
export function quotesOf(answer: string, evidence: readonly Evidence[]): Quote[] {
  if (/^(yes|no)\.?$/i.test(answer)) return [];
  const words = answer
    .replace(/[.!]$/, "")
    .split(/\s+/)
    .map((word) => word.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])${words.join("\\s+")}(?![\\p{L}\\p{N}])`, "iu");
  for (const { id, text } of evidence) {
    const found = pattern.exec(text);
    if (!found || found[0] === "") continue;
    return [{ evidence: id, text: found[0], start: found.index, end: found.index + found[0].length }];
  }
  return [];
}
