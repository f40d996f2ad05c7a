import {
  type Capabilities,
  ClaraError,
  type Hit,
  type Query,
  type SearchOptions,
  type WritableRetriever,
} from "@clara/core";
import { checkCount, checkSearch, describe } from "../check.ts";
import { closable } from "../closable.ts";
import { type RankedLists, rrfFusion, unionFusion, weightedFusion } from "../fusion.ts";
import { checkBatch } from "../ledger.ts";
import { createQueue } from "../queue.ts";
import { bm25 } from "./bm25.ts";
import { exact } from "./exact.ts";

export type Fusion = "union" | "rrf" | "weighted";
export type Side = "bm25" | "dense";

export interface HybridOptions {
  /** Searches words. @default bm25() */
  readonly sparse?: WritableRetriever;
  /** Searches vectors. @default exact() */
  readonly dense?: WritableRetriever;
  /** Hits taken from `sparse`, whatever k is; 0 leaves it out. @default 25 */
  readonly sparseK?: number;
  /** Hits taken from `dense`, whatever k is; 0 leaves it out. @default 12 */
  readonly denseK?: number;
  /** @default "union" */
  readonly fusion?: Fusion;
  /** How much each side counts, 0 or more, for "rrf" and "weighted"; an error with "union", which has none. @default 1 and 1 */
  readonly weights?: Readonly<Partial<Record<Side, number>>>;
  /** Of "rrf" only: larger values make the first ranks less special. @default 60 */
  readonly rrfK?: number;
  /** Hits returned, at most, even when k is larger. @default 37 */
  readonly limit?: number;
  /** Go on with one side when the other fails, instead of failing. Both failing is an error always. @default false */
  readonly tolerate?: boolean;
  /** Told which side failed and why, when `tolerate` is set. */
  readonly onFailure?: (side: Side, error: unknown) => void;
}

/**
 * Words and vectors together: both sides are searched at once and their hits fused. Each hit's `from` has its rank and score
 * under `bm25` and `dense`, whatever the two retrievers are. A query without a vector is searched by words alone.
 *
 * A batch is checked, then given to `dense` and then to `sparse`. Should `sparse` fail after that (only a remote one can),
 * apply the same batch again: both sides skip what they have.
 *
 * @throws ClaraError "option" for impossible numbers, an unknown fusion or weights where there are none.
 */
export function hybrid(options: HybridOptions = {}): WritableRetriever {
  const { sparse = bm25(), dense = exact(), sparseK = 25, denseK = 12, limit = 37 } = options;
  const { fusion = "union", weights, rrfK = 60, tolerate = false, onFailure } = options;
  if (sparseK !== 0) checkCount("hybrid", "sparseK", sparseK);
  if (denseK !== 0) checkCount("hybrid", "denseK", denseK);
  if (sparseK === 0 && denseK === 0)
    throw new ClaraError("option", "hybrid: sparseK and denseK are both 0; one side at least must search");
  checkCount("hybrid", "limit", limit);
  const fuse = fusionOf(fusion, weights, rrfK);
  fuse({ bm25: [], dense: [] }, 1); // checks the weights now rather than at the first question
  const inTurn = createQueue();
  const { assertOpen, close } = closable("hybrid", () => undefined);

  const capabilities: Capabilities = {
    text: true,
    vector: true,
    filter: sparse.capabilities.filter === "pre" && dense.capabilities.filter === "pre" ? "pre" : "none",
    exact: sparse.capabilities.exact && dense.capabilities.exact,
    scoreKind: fusion === "weighted" ? "weighted" : "rrf",
  };

  return {
    name: "hybrid",
    capabilities,

    async search(query: Query, options: SearchOptions): Promise<readonly Hit[]> {
      assertOpen("search");
      checkSearch("hybrid.search", query, options);
      const [words, vectors] = await Promise.allSettled([
        sparseK === 0 ? [] : sparse.search(query, { ...options, k: sparseK }),
        query.vector === undefined || denseK === 0 ? [] : dense.search(query, { ...options, k: denseK }),
      ]);
      for (const [side, result, other] of [
        ["bm25", words, vectors],
        ["dense", vectors, words],
      ] as const) {
        if (result.status === "fulfilled") continue;
        const nothingElse = other.status === "rejected" || query.vector === undefined || sparseK === 0 || denseK === 0;
        if (!tolerate || nothingElse || options.signal?.aborted) throw result.reason;
        onFailure?.(side, result.reason);
      }
      const lists = { bm25: hitsOf(words), dense: hitsOf(vectors) };
      return fuse(lists, Math.min(options.k, limit));
    },

    apply(batch) {
      return inTurn(async () => {
        assertOpen("apply");
        checkBatch("hybrid.apply", batch);
        const second = await dense.apply(batch); // first, because it may refuse vectors; what it takes, `sparse` takes
        const first = await sparse.apply(batch);
        // The sides agree unless they began with different passages; then what either did counts as done.
        const added = Math.max(first.added, second.added);
        const unchanged = Math.min(first.unchanged, second.unchanged);
        return {
          added,
          updated: (batch.upsert?.length ?? 0) - added - unchanged,
          unchanged,
          deleted: Math.max(first.deleted, second.deleted),
          total: Math.max(first.total, second.total),
        };
      });
    },

    async close() {
      await close();
      await Promise.all([sparse.close(), dense.close()]);
    },
  };
}

function fusionOf(
  fusion: Fusion,
  weights: HybridOptions["weights"],
  rrfK: number,
): (lists: RankedLists, limit: number) => Hit[] {
  const weighing = weights === undefined ? {} : { weights: weights as Readonly<Record<string, number>> };
  const source = "hybrid";
  switch (fusion) {
    case "union":
      if (weights === undefined) return (lists, limit) => unionFusion(lists, { limit, source });
      throw new ClaraError(
        "option",
        'hybrid: the fusion "union" has no weights; use "rrf" or "weighted", or leave them out',
      );
    case "rrf":
      return (lists, limit) => rrfFusion(lists, { ...weighing, k: rrfK, limit, source });
    case "weighted":
      return (lists, limit) => weightedFusion(lists, { ...weighing, limit, source });
    default:
      throw new ClaraError("option", `hybrid: fusion must be "union", "rrf" or "weighted", got ${describe(fusion)}`);
  }
}

function hitsOf(result: PromiseSettledResult<readonly Hit[]>): readonly Hit[] {
  return result.status === "fulfilled" ? result.value : [];
}
