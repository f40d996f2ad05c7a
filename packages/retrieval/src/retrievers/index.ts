import type { WritableRetriever } from "@clara/core";
import { bm25 } from "./bm25.ts";
import { exact } from "./exact.ts";
import { hnsw } from "./hnsw.ts";
import { hybrid } from "./hybrid.ts";
import { wink } from "./wink.ts";

/** Makes an empty retriever. Each takes options of its own, all of which can be left out. */
export type MakeRetriever = (options?: never) => WritableRetriever;

/** Every retriever by name. Without a prototype, so that looking up "constructor" finds nothing. */
export const retrievers: Readonly<Record<string, MakeRetriever>> = Object.freeze(
  Object.assign(Object.create(null), { bm25, exact, hnsw, hybrid, wink }),
);
