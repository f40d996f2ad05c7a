import { ClaraError, type WritableRetriever } from "@clara/core";
import { describe, expect, it } from "vitest";
import { passage } from "../testing.ts";
import { bm25 } from "./bm25.ts";
import { exact } from "./exact.ts";
import { type HybridOptions, hybrid, type Side } from "./hybrid.ts";
import { wink } from "./wink.ts";

const rocks = [
  passage("a", "lava lava", { vector: [1, 0] }),
  passage("b", "lava and other things", { vector: [0, 1] }),
  passage("c", "nothing of it", { vector: [1, 0.1] }),
];
const query = { text: "lava", vector: Float32Array.of(1, 0.1) };

async function made(options: HybridOptions = {}) {
  const index = hybrid(options);
  await index.apply({ upsert: rocks });
  return index;
}

const failing = (name: string): WritableRetriever => ({
  ...bm25(),
  name,
  search: () => Promise.reject(new ClaraError("io", `${name} is down`)),
});

describe("hybrid", () => {
  it("joins words and vectors, and says where each hit stood", async () => {
    const hits = await (await made({ denseK: 2 })).search(query, { k: 10 });
    expect(hits.map(({ id, rank, source }) => [id, rank, source])).toEqual([
      ["a", 1, "hybrid"],
      ["c", 2, "hybrid"],
      ["b", 3, "hybrid"],
    ]);
    expect(hits[0]!.from).toEqual({
      bm25: { rank: 1, score: expect.any(Number) },
      dense: { rank: 2, score: expect.any(Number) },
    });
    expect(hits[0]!.score).toBeCloseTo(1 / 61 + 1 / 62, 12);
    expect(Object.keys(hits[1]!.from!)).toEqual(["dense"]);
    expect(Object.keys(hits[2]!.from!)).toEqual(["bm25"]);
  });

  it("calls the lists bm25 and dense, whatever the retrievers are", async () => {
    const [first] = await (await made({ sparse: wink(), dense: exact({ dimension: 2 }) })).search(query, { k: 1 });
    expect(Object.keys(first!.from!)).toEqual(["bm25", "dense"]);
  });

  it("searches by words alone when there is no vector", async () => {
    const hits = await (await made()).search({ text: "lava" }, { k: 10 });
    expect(hits.map(({ id, from }) => [id, Object.keys(from!)])).toEqual([
      ["a", ["bm25"]],
      ["b", ["bm25"]],
    ]);
  });

  it("takes 25 and 12 and returns at most 37", async () => {
    const index = hybrid();
    await index.apply({
      upsert: Array.from({ length: 100 }, (_, i) =>
        passage(`p${i}`, i < 50 ? "lava" : "ash", { vector: [i < 50 ? -1 : 1, i / 1000] }),
      ),
    });
    const hits = await index.search({ text: "lava", vector: Float32Array.of(1, 0) }, { k: 100 });
    const count = (side: Side) => hits.filter(({ from }) => from![side]).length;
    expect([hits.length, count("bm25"), count("dense")]).toEqual([37, 25, 12]);
    expect(await index.search({ text: "lava", vector: Float32Array.of(1, 0) }, { k: 5 })).toEqual(hits.slice(0, 5));
    expect(index.capabilities).toMatchObject({ scoreKind: "rrf", exact: true, filter: "pre" });
  });

  it("weighs the sides", async () => {
    const weighted = await (await made({ fusion: "weighted", weights: { bm25: 0, dense: 1 } })).search(query, { k: 3 });
    expect(weighted.map(({ id }) => id)).toEqual(["c", "a", "b"]);
    expect(weighted[0]!.score).toBe(1);
    const rrf = await (await made({ fusion: "rrf", rrfK: 1, weights: { bm25: 3 } })).search(query, { k: 1 });
    expect([rrf[0]!.id, rrf[0]!.score]).toEqual(["a", 3 / 2 + 1 / 3]);
    expect(hybrid({ fusion: "weighted" }).capabilities.scoreKind).toBe("weighted");
  });

  it("fails when one side fails, unless it is told to go on", async () => {
    const broken = hybrid({ dense: failing("vectors") });
    await expect(broken.search(query, { k: 3 })).rejects.toThrow("vectors is down");

    const failures: [Side, unknown][] = [];
    const onFailure = (side: Side, error: unknown) => failures.push([side, (error as Error).message]);
    const sparse = bm25();
    const index = hybrid({ sparse, dense: failing("vectors"), tolerate: true, onFailure });
    await sparse.apply({ upsert: rocks });
    expect((await index.search(query, { k: 3 })).map(({ id }) => id)).toEqual(["a", "b"]);
    expect(failures).toEqual([["dense", "vectors is down"]]);

    const both = hybrid({ sparse: failing("words"), dense: failing("vectors"), tolerate: true });
    await expect(both.search(query, { k: 3 })).rejects.toThrow("words is down");
    await expect(both.search({ text: "lava" }, { k: 3 })).rejects.toThrow("words is down");
  });

  it("changes neither side when a vector is bad", async () => {
    const [sparse, dense] = [bm25(), exact()];
    const index = await made({ sparse, dense });
    const upsert = [passage("d", "lava", { vector: [1, 1] }), passage("e", "lava", { vector: [1, Number.NaN] })];
    await expect(index.apply({ upsert, delete: ["a"] })).rejects.toThrow("must be finite");
    expect([(await sparse.apply({})).total, (await dense.apply({})).total]).toEqual([3, 3]);
  });

  it("brings sides together that began with different passages", async () => {
    const sparse = bm25();
    await sparse.apply({ upsert: rocks });
    const index = hybrid({ sparse });
    expect(await index.apply({ upsert: rocks })).toEqual({ added: 3, updated: 0, unchanged: 0, deleted: 0, total: 3 });
    expect(await index.apply({ upsert: rocks })).toEqual({ added: 0, updated: 0, unchanged: 3, deleted: 0, total: 3 });
  });

  it("closes both sides", async () => {
    const [sparse, dense] = [bm25(), exact()];
    await hybrid({ sparse, dense }).close();
    await expect(sparse.apply({})).rejects.toThrow("closed");
    await expect(dense.apply({})).rejects.toThrow("closed");
  });

  it("refuses options that mean nothing when it is made", () => {
    expect(() => hybrid({ sparseK: -1 })).toThrow("hybrid: sparseK must be a whole number of at least 1, got -1");
    expect(() => hybrid({ sparseK: 0, denseK: 0 })).toThrow("one side at least must search");
    expect(() => hybrid({ fusion: "sum" as "rrf" })).toThrow(
      'hybrid: fusion must be "union", "rrf" or "weighted", got "sum"',
    );
    expect(() => hybrid({ weights: { bm25: 1 } })).toThrow('the fusion "union" has no weights');
    expect(() => hybrid({ fusion: "rrf", weights: { dense: -1 } })).toThrow("weights.dense must be a number from 0");
    expect(() => hybrid({ fusion: "rrf", rrfK: Number.NaN })).toThrow("k must be a number from 0");
  });
});
