import type { Hit, Query, SearchOptions, WritableRetriever } from "@clara/core";
import { checkCount, checkRange, checkSearch } from "../check.ts";
import { closable } from "../closable.ts";
import { compileFilter } from "../filter.ts";
import { createGraph, findConstructor, type Graph, type NativeConstructor } from "../graph.ts";
import { type Entry, planBatch, receipt } from "../ledger.ts";
import { createQueue } from "../queue.ts";
import { type Directed, direction, directions, scan } from "../vectors.ts";

export interface HnswOptions {
  /** Width D of all vectors. @default that of the first vector */
  readonly dimension?: number;
  /** Neighbours of a point in the graph, 2 to 100. @default 16 */
  readonly m?: number;
  /** Points looked at to place a new one, at least m. More is slower to build and finds better. @default 200 */
  readonly efConstruction?: number;
  /** Of the levels in the graph. @default 100 */
  readonly seed?: number;
  /** Fewer passages than this are searched exactly, without a graph. @default 2000 */
  readonly exactBelow?: number;
  /** Loads hnswlib-node. @default () => import("hnswlib-node") */
  readonly load?: () => Promise<unknown>;
}

export interface HnswRetriever extends WritableRetriever {
  /** Why every search is exact although a graph was wanted: hnswlib-node is missing or failed. Known after the first `apply`. */
  readonly note?: string | undefined;
}

/** Deleted points cost time and find nothing; with more than this share of them the graph is built anew. */
const DEAD_SHARE = 0.3;
/** Milliseconds of adding points between two turns of the event loop. */
const TURN = 20;

/**
 * Approximate nearest passages by cosine with hnswlib-node, for more than some ten thousand passages.
 *
 * The vectors are kept here and the graph is only a way to find candidates: scores are the same as those of `exact`, and
 * whenever the graph cannot serve (too small, still being built, a filter that few pass, the module missing) the
 * search is exact. Adding takes about 0.5 ms a passage of width 384; searches meanwhile are right, only slower.
 *
 * @throws ClaraError "option" for an impossible option.
 * @see Malkov & Yashunin 2016, "Efficient and robust approximate nearest neighbor search using HNSW". https://arxiv.org/abs/1603.09320
 */
export function hnsw(options: HnswOptions = {}): HnswRetriever {
  const { dimension, m = 16, efConstruction = 200, seed = 100, exactBelow = 2000 } = options;
  const { load = () => import("hnswlib-node") } = options;
  if (dimension !== undefined) checkCount("hnsw", "dimension", dimension);
  checkCount("hnsw", "m", m, 2);
  checkRange("hnsw", "m", m, 2, 100);
  checkCount("hnsw", "efConstruction", efConstruction, m);
  checkCount("hnsw", "seed", seed, 0);
  checkCount("hnsw", "exactBelow", exactBelow, 0);

  let width = dimension;
  let loading: Promise<void> | undefined;
  let Constructor: NativeConstructor | undefined;
  let note: string | undefined;
  let graph: Graph | undefined;
  const passages = new Map<string, Directed>();
  /** Passages that the graph does not have yet. */
  const pending = new Map<string, Directed>();
  const inTurn = createQueue();
  const { assertOpen, close } = closable("hnsw", () => {
    passages.clear();
    pending.clear();
    graph = undefined;
  });

  function giveUp(error: unknown): void {
    const reason = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    note = `hnswlib-node cannot be used, so every search is exact: ${reason}`;
    Constructor = undefined;
    graph = undefined;
    pending.clear();
  }

  async function prepare(): Promise<void> {
    loading ??= (async () => {
      try {
        Constructor = findConstructor(await load());
      } catch (error) {
        giveUp(error);
      }
    })();
    await loading;
  }

  /** Brings the graph up to date, a few points at a time. Searches in between see it as far as it is. */
  async function grow(): Promise<void> {
    if (!Constructor || passages.size === 0 || passages.size < exactBelow) return;
    try {
      let next = graph;
      let todo: Iterable<Directed> = pending.values();
      if (next === undefined || next.dead > DEAD_SHARE * (next.live + next.dead)) {
        next = createGraph(Constructor, width!, { m, efConstruction, seed });
        todo = passages.values(); // the old graph and `pending` serve until this one is whole
      }
      let turn = performance.now() + TURN;
      for (const passage of todo) {
        next.add(passage);
        if (next === graph) pending.delete(passage.id);
        if (performance.now() < turn) continue;
        await new Promise((done) => setImmediate(done));
        if (passages.size === 0) return; // closed meanwhile
        turn = performance.now() + TURN;
      }
      graph = next;
      pending.clear();
    } catch (error) {
      giveUp(error);
    }
  }

  /** The candidates of the graph with those it does not have yet, or undefined when an exact scan is better. */
  function candidates(
    unit: Float32Array,
    k: number,
    passes: ((entry: Entry) => boolean) | undefined,
  ): Directed[] | undefined {
    if (graph === undefined || passages.size < exactBelow) return undefined;
    let wanted = Math.max(64, 4 * k);
    if (passes) {
      let passing = 0;
      for (const passage of passages.values()) if (passes(passage)) passing++;
      if (2 * passing < passages.size) return undefined;
      wanted = Math.ceil((wanted * passages.size) / passing);
    }
    if (k > 64 && 4 * wanted > graph.live) return undefined; // so many that the walk is dearer than the scan
    let found: Directed[];
    try {
      found = graph.near(unit, wanted).map((id) => passages.get(id)!);
    } catch (error) {
      giveUp(error);
      return undefined;
    }
    for (const passage of pending.values()) found.push(passage);
    const kept = passes ? found.filter(passes) : found;
    return kept.length < k ? undefined : kept;
  }

  return {
    name: "hnsw",
    capabilities: { text: false, vector: true, filter: "pre", exact: false, scoreKind: "cosine" },
    get note() {
      return note;
    },

    async search(query: Query, options: SearchOptions): Promise<readonly Hit[]> {
      assertOpen("search");
      checkSearch("hnsw.search", query, options);
      const passes = options.filter && compileFilter(options.filter);
      const unit = direction("hnsw.search: query", query.vector, width);
      const some = candidates(unit, options.k, passes);
      if (some) return scan(some, unit, options.k, () => true, "hnsw");
      return scan(passages.values(), unit, options.k, passes ?? (() => true), "hnsw");
    },

    apply(batch) {
      return inTurn(async () => {
        assertOpen("apply");
        await prepare();
        assertOpen("apply");
        const todo = planBatch("hnsw.apply", passages, batch);
        const found = directions("hnsw.apply", todo, width);
        width ??= found[0]?.unit.length;
        for (const id of todo.deletes) {
          passages.delete(id);
          pending.delete(id);
          graph?.remove(id);
        }
        for (const each of found) {
          passages.set(each.id, each);
          graph?.remove(each.id);
          if (graph) pending.set(each.id, each);
        }
        const result = receipt(todo, passages.size);
        await grow();
        return result;
      });
    },

    close,
  };
}
