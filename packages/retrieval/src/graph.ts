import { ClaraError } from "@clara/core";
import type { Directed } from "./vectors.ts";

/** The part of hnswlib-node that is used. Nothing else of Clara touches it. */
interface Native {
  initIndex(options: { maxElements: number; m: number; efConstruction: number; randomSeed: number }): void;
  resizeIndex(size: number): void;
  addPoint(point: number[], label: number): void;
  markDelete(label: number): void;
  setEf(ef: number): void;
  searchKnn(query: number[], k: number): { neighbors: number[] };
}

export type NativeConstructor = new (space: "ip", dimension: number) => Native;

export interface GraphOptions {
  readonly m: number;
  readonly efConstruction: number;
  readonly seed: number;
}

/** @throws ClaraError "unsupported" when the module is not the one that is expected. */
export function findConstructor(module: unknown): NativeConstructor {
  // A CommonJS addon: its names are on the default export, or on the module itself, by loader.
  for (const place of [module, (module as { default?: unknown } | null)?.default]) {
    const found = (place as { HierarchicalNSW?: unknown } | null | undefined)?.HierarchicalNSW;
    if (typeof found === "function") return found as NativeConstructor;
  }
  throw new ClaraError("unsupported", "hnsw: the module that was loaded has no HierarchicalNSW");
}

/** An approximate neighbour graph that the addon can do no harm with. */
export interface Graph {
  /** Passages that a search can find. */
  readonly live: number;
  /** Points that were deleted or replaced and still take part in the walk. */
  readonly dead: number;
  /** Adds one that is not in it. */
  add(passage: Directed): void;
  remove(id: string): void;
  has(id: string): boolean;
  /** Ids of about the `count` nearest, in no promised order. */
  near(query: Float32Array, count: number): string[];
}

/**
 * What hnswlib-node does with bad input ranges from nonsense to the death of the process, so:
 * vectors arrive checked and go in as arrays of finite numbers; labels are our own running numbers, never reused (the
 * addon wraps others to uint32 and overwrites); room is made before it is full; k never exceeds the live points; no
 * filter callback is passed (one that throws aborts the process); its files are never read or written (damaged ones
 * crash it, failed writes go unreported); and a deleted label is not touched again.
 */
export function createGraph(Constructor: NativeConstructor, dimension: number, options: GraphOptions): Graph {
  const { m, efConstruction, seed } = options;
  let capacity = 1024;
  const native = new Constructor("ip", dimension);
  native.initIndex({ maxElements: capacity, m, efConstruction, randomSeed: seed });
  const ids: string[] = []; // by label
  const labels = new Map<string, number>();

  return {
    get live() {
      return labels.size;
    },
    get dead() {
      return ids.length - labels.size;
    },
    has: (id) => labels.has(id),
    add({ id, unit }) {
      if (ids.length === capacity) {
        native.resizeIndex(capacity + (capacity >> 1));
        capacity += capacity >> 1;
      }
      const label = ids.length;
      native.addPoint(Array.from(unit), label);
      ids.push(id);
      labels.set(id, label);
    },
    remove(id) {
      const label = labels.get(id);
      if (label === undefined) return;
      labels.delete(id);
      native.markDelete(label);
    },
    near(query, count) {
      const k = Math.min(count, labels.size);
      if (k === 0) return [];
      native.setEf(k); // as wide as the list that is asked for; the addon's own default is 10
      const found = native.searchKnn(Array.from(query), k).neighbors;
      return found.filter((label) => labels.get(ids[label]!) === label).map((label) => ids[label]!);
    },
  };
}
