import type { Evidence, Memory } from "@clara/core";
import { answerKind, holdsKind } from "./answer-kind.ts";
import { logit } from "./confidence.ts";
import type { Fragment } from "./sequences.ts";
import { windowCosines } from "./window-cosines.ts";

/** What the question's words say about a text, 0–1: the idf of those that occur in it over the idf of all. */
export type Overlap = (text: string) => number;

export interface WindowOptions {
  /** Windows to open, before neighbours are added. @default 4 */
  readonly windows?: number;
  /** Windows added on both sides of a chosen one. @default 1 */
  readonly neighbours?: number;
  /** Tokens read at most, neighbours included; the best window is read whatever its size. @default 384 */
  readonly maxTokens?: number;
  /** How far the evidence's own score lifts its windows, per unit of its log-odds. @default 0.1 */
  readonly evidenceWeight?: number;
  /** Weight of the word overlap beside the cosine. @default 0.3 */
  readonly overlapWeight?: number;
  /** Weight of what a reader of memories says, per unit of log-odds that the answer is there. @default 0: it is not asked */
  readonly pointerWeight?: number;
  /** Lift of a window with a number or a name in it, where the question asks for one: a memory keeps these worst. @default 0.05 */
  readonly kindWeight?: number;
}

/** What a reader of memories says of an evidence's windows: logits that the answer is in none, and in each. */
export interface Pointed {
  readonly none: number;
  readonly logits: Float32Array;
}

/**
 * Chooses the windows of text worth reading: those whose memory token points where the question points.
 *
 * The score of a window is its memory token's cosine with the question, plus a lesser share of the question's words in it,
 * a lift where it has what the question asks for, a number or a name, and, where a reader of memories has read it, how much
 * likelier it is to hold the answer than nothing is. The best windows of all evidence together are taken, widened by their
 * neighbours, merged where they touch, and given in the order of the evidence and of the text.
 *
 * @param question its vector, [D] of length 1, and its words
 * @param pointed one for each evidence, where a reader of memories was asked
 * @throws nothing: evidence without a memory, or with nothing but a title, offers no window.
 */
export function chooseWindows(
  { vector, text: asked }: { readonly vector: Float32Array; readonly text: string },
  evidence: readonly Evidence[],
  overlap: Overlap,
  {
    windows = 4,
    neighbours = 1,
    maxTokens = 384,
    overlapWeight = 0.3,
    evidenceWeight = 0.1,
    pointerWeight = 0,
    kindWeight = 0.05,
  }: WindowOptions = {},
  pointed?: readonly Pointed[],
): Fragment[] {
  const kind = answerKind(asked);
  const candidates = evidence.flatMap(({ memory, text, score }, index) =>
    memory === undefined
      ? []
      : windowCosines(vector, memory).flatMap((cosine, m) => {
          const [start, end] = [memory.spans[2 * m]!, memory.spans[2 * m + 1]!];
          if (start === end) return [];
          const window = text.slice(start, end);
          const read = pointed?.[index];
          const lift =
            overlapWeight * overlap(window) +
            (holdsKind(kind, window) ? kindWeight : 0) +
            evidenceWeight * logit(score) +
            (read ? pointerWeight * (read.logits[m]! - read.none) : 0);
          return [{ index, m, score: cosine + lift }];
        }),
  );
  candidates.sort((a, b) => b.score - a.score || a.index - b.index || a.m - b.m);
  const taken = new Set<string>();
  const ranges: Fragment[] = [];
  let tokens = 0;
  for (const { index, m } of candidates.slice(0, windows)) {
    const memory = evidence[index]!.memory!;
    const [first, last] = widen(memory, m, neighbours);
    const fresh = Array.from({ length: last - first + 1 }, (_, at) => first + at).filter(
      (at) => !taken.has(`${index}:${at}`),
    );
    const more = fresh.reduce((sum, at) => sum + memory.tokens[at]!, 0);
    if (ranges.length > 0 && tokens + more > maxTokens) break;
    tokens += more;
    for (const at of fresh) taken.add(`${index}:${at}`);
    ranges.push({ evidence: index, start: memory.spans[2 * first]!, end: memory.spans[2 * last + 1]! });
  }
  return merge(ranges);
}

/** First and last of a window's neighbours, itself included; windows of the title are none. */
function widen({ spans, count }: Memory, m: number, neighbours: number): [first: number, last: number] {
  let first = m;
  while (m - first < neighbours && first > 0 && spans[2 * first - 1]! > 0) first -= 1;
  return [first, Math.min(count - 1, m + neighbours)];
}

function merge(ranges: Fragment[]): Fragment[] {
  const merged: Fragment[] = [];
  for (const range of ranges.sort((a, b) => a.evidence - b.evidence || a.start - b.start)) {
    const last = merged.at(-1);
    // Up to two characters between them is white space or a hyphen between two windows, not a gap.
    if (last?.evidence === range.evidence && range.start <= last.end + 2) {
      merged[merged.length - 1] = { ...last, end: Math.max(last.end, range.end) };
    } else merged.push(range);
  }
  return merged;
}
