import type { Hit } from "@clara/core";

interface Scored {
  readonly id: string;
  readonly score: number;
}

/** Best first: higher score, then the smaller id, so that runs repeat exactly. */
export function byScoreThenId(a: Scored, b: Scored): number {
  if (a.score !== b.score) return b.score - a.score;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

export interface TopK {
  /** Whether `offer` would keep this one. Lets a caller skip dear work, like a filter, for those that lose anyway. */
  wants(score: number, id: string): boolean;
  offer(score: number, id: string): void;
  /** Best first, ranked from 1. */
  hits(source: string): Hit[];
}

/** Keeps the k best of any number of scores in a heap whose root is the worst one kept. Holds at most k, whatever k is. */
export function topK(k: number): TopK {
  const heap: Scored[] = [];
  const worse = (a: Scored, b: Scored) => byScoreThenId(a, b) > 0;

  function wants(score: number, id: string): boolean {
    if (heap.length < k) return true;
    const root = heap[0]!;
    return score > root.score || (score === root.score && id < root.id);
  }

  function rise(item: Scored): void {
    let at = heap.length;
    heap.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!worse(item, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = item;
  }

  function sinkFromRoot(item: Scored): void {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && worse(heap[child + 1]!, heap[child]!)) child++;
      if (!worse(heap[child]!, item)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = item;
  }

  return {
    wants,
    offer(score, id) {
      if (heap.length < k) rise({ id, score });
      else if (wants(score, id)) sinkFromRoot({ id, score });
    },
    hits(source) {
      return [...heap].sort(byScoreThenId).map(({ id, score }, i) => ({ id, score, rank: i + 1, source }));
    },
  };
}
