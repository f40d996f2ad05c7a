import type { Overlap } from "@clara/generator";
import type { Random } from "../random.ts";
import { type Range, wordRanges } from "./crop.ts";

/** Words of a window: about as many as 16 tokens have. */
const [leastWords, mostWords] = [9, 14];

/**
 * One to four windows of a text as a gate would choose them: neighbouring runs of words, those taken that share the
 * question's words, each widened by its neighbours, in the order of the text and merged where they touch.
 *
 * @param inside a range that a gate is likely to find too: nine times in ten it is in one of the windows, whole
 */
export function likelyWindows(text: string, overlap: Overlap, rng: Random, inside?: Range): Range[] {
  const words = wordRanges(text);
  if (words.length === 0) return [{ start: 0, end: text.length }];
  const size = leastWords + rng.below(mostWords - leastWords + 1);
  const edges: number[] = [0];
  for (let at = 1 + rng.below(size); at < words.length; at += size) edges.push(at);
  const found = inside && rng.chance(0.9);
  const windows = edges.map((from, i) => {
    const last = words[(edges[i + 1] ?? words.length) - 1]!;
    const range = { start: words[from]!.start, end: last.end };
    const holds = found && range.start < inside.end && range.end > inside.start;
    // The cosine of a memory sees what words do not: a chance stands for it.
    const score = overlap(text.slice(range.start, range.end)) + 0.3 * rng.next() + (holds ? 1 : 0);
    return { i, score };
  });
  windows.sort((a, b) => b.score - a.score);
  const read = new Set(windows.slice(0, 1 + rng.below(4)).flatMap(({ i }) => [i - 1, i, i + 1]));
  const ranges: { start: number; end: number }[] = [];
  edges.forEach((from, i) => {
    if (!read.has(i)) return;
    const end = words[(edges[i + 1] ?? words.length) - 1]!.end;
    if (read.has(i - 1) && ranges.length > 0) ranges.at(-1)!.end = end;
    else ranges.push({ start: words[from]!.start, end });
  });
  return ranges;
}
