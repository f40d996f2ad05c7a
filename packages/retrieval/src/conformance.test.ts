import { describe, it } from "vitest";
import { describeRetriever } from "./conformance.ts";
import { hnsw } from "./retrievers/hnsw.ts";
import { retrievers } from "./retrievers/index.ts";

for (const [name, make] of Object.entries(retrievers)) describeRetriever({ describe, it }, name, () => make());

describeRetriever({ describe, it }, "hnsw with a graph from the first passage on", () => hnsw({ exactBelow: 0 }));

const missing = () => Promise.reject(new Error("Cannot find package 'hnswlib-node'"));
describeRetriever({ describe, it }, "hnsw without its module", () => hnsw({ exactBelow: 0, load: missing }));
