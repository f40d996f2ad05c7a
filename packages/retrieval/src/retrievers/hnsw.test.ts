import { describe, expect, it } from "vitest";
import { clusteredVectors, passage } from "../testing.ts";
import { exact } from "./exact.ts";
import { hnsw } from "./hnsw.ts";

const D = 24;
const all = clusteredVectors(3000, D, 1).map((vector, i) => passage(`p${i}`, "", { vector, metadata: { i } }));
const queries = clusteredVectors(40, D, 2).map((vector) => ({ text: "", vector }));

/** The module is optional: where it could not be compiled, what needs it is skipped and says so. */
const native = await import("hnswlib-node").then(
  () => true,
  () => false,
);
const graphIt: (name: string, test: () => Promise<void>) => void = native
  ? it
  : (name, test) => it.skip(`${name} (needs hnswlib-node, which is not compiled here)`, test);

/** A module that counts how often its graph is asked, and can fail. */
async function spy(fail: { add?: boolean; search?: boolean } = {}) {
  const { default: native } = await import("hnswlib-node");
  const calls = { graphs: 0, points: 0, searches: 0, deletions: 0 };
  class Spied extends native.HierarchicalNSW {
    constructor(space: "ip", dimension: number) {
      super(space, dimension);
      calls.graphs++;
    }
    override addPoint(point: number[], label: number) {
      if (fail.add) throw new Error("std::bad_alloc");
      calls.points++;
      super.addPoint(point, label);
    }
    override markDelete(label: number) {
      calls.deletions++;
      super.markDelete(label);
    }
    override searchKnn(query: number[], k: number) {
      if (fail.search) throw new Error("the graph broke");
      calls.searches++;
      return super.searchKnn(query, k);
    }
  }
  return { calls, fail, load: async () => ({ default: { HierarchicalNSW: Spied } }) };
}

async function recall(index: ReturnType<typeof hnsw>, live: typeof all, k = 12): Promise<number> {
  const truth = exact();
  await truth.apply({ upsert: live });
  let shared = 0;
  for (const query of queries) {
    const scores = new Map((await truth.search(query, { k })).map(({ id, score }) => [id, score]));
    for (const { id, score } of await index.search(query, { k })) {
      if (!scores.has(id)) continue;
      expect(score).toBe(scores.get(id)); // the same arithmetic: not one bit of difference
      shared++;
    }
  }
  return shared / (k * queries.length);
}

describe("hnsw", () => {
  graphIt("finds nearly all of the true best through its graph, with the same scores", async () => {
    const { calls, load } = await spy();
    const index = hnsw({ load });
    await index.apply({ upsert: all });
    expect(await recall(index, all)).toBeGreaterThan(0.97);
    expect(calls).toEqual({ graphs: 1, points: 3000, searches: queries.length, deletions: 0 });
    expect(index.note).toBeUndefined();
  });

  graphIt("loads the real module by itself", async () => {
    const index = hnsw();
    await index.apply({});
    expect(index.note).toBeUndefined();
  });

  graphIt("is exact, and builds nothing, below its threshold", async () => {
    const { calls, load } = await spy();
    const index = hnsw({ load });
    await index.apply({ upsert: all.slice(0, 1999) });
    expect(await recall(index, all.slice(0, 1999))).toBe(1);
    expect(calls.graphs).toBe(0);
    await index.apply({ upsert: all.slice(1999, 2000) });
    expect(calls).toMatchObject({ graphs: 1, points: 2000 });
  });

  graphIt("stays good through updates and deletions, and builds anew when too much is dead", async () => {
    const { calls, load } = await spy();
    const index = hnsw({ load, exactBelow: 100 });
    await index.apply({ upsert: all.slice(0, 1500) });
    const moved = all.slice(0, 300).map((each, i) => ({ ...each, vector: all[2000 + i]!.vector! }));
    await index.apply({ upsert: moved, delete: all.slice(300, 600).map(({ id }) => id) });
    const live = [...moved, ...all.slice(600, 1500)];
    expect(await recall(index, live)).toBeGreaterThan(0.97);
    expect(calls).toMatchObject({ graphs: 2, points: 1500 + 1200, deletions: 600 });
    await index.apply({ upsert: all.slice(1500, 1600) });
    expect(calls.graphs).toBe(2);
    expect(await recall(index, [...live, ...all.slice(1500, 1600)])).toBeGreaterThan(0.97);
  });

  graphIt("answers rightly while its graph is being built", async () => {
    const { load } = await spy();
    const index = hnsw({ load, exactBelow: 1, efConstruction: 400 });
    await index.apply({ upsert: all.slice(0, 200) });
    let done = false;
    const growing = index.apply({ upsert: all.slice(200) }).then(() => {
      done = true;
    });
    const truth = exact();
    await truth.apply({ upsert: all });
    let during = 0;
    for (let i = 0; !done; i++, during++) {
      await new Promise((turn) => setImmediate(turn));
      const query = queries[i % queries.length]!;
      const expected = new Set((await truth.search(query, { k: 5 })).map(({ id }) => id));
      const found = (await index.search(query, { k: 5 })).filter(({ id }) => expected.has(id));
      expect(found.length).toBeGreaterThanOrEqual(4);
    }
    await growing;
    expect(during).toBeGreaterThan(1); // so it did give way to others
  });

  graphIt("carries out batches that are given at once one after another", async () => {
    const { calls, load } = await spy();
    const index = hnsw({ load, exactBelow: 1 });
    await Promise.all([
      index.apply({ upsert: all.slice(0, 1000) }),
      index.apply({ upsert: all.slice(500, 1500) }),
      index.apply({ delete: all.slice(0, 200).map(({ id }) => id) }),
    ]);
    expect(calls).toMatchObject({ graphs: 1, points: 1500, deletions: 200 });
    expect(await recall(index, all.slice(200, 1500))).toBeGreaterThan(0.97);
  });

  graphIt("scans exactly for filters that few pass, and finds k through those that many pass", async () => {
    const { calls, load } = await spy();
    const index = hnsw({ load });
    await index.apply({ upsert: all });
    const few = await index.search(queries[0]!, { k: 12, filter: { field: "i", op: "lt", value: 20 } });
    expect(few).toHaveLength(12);
    expect(calls.searches).toBe(0);
    const many = await index.search(queries[0]!, { k: 12, filter: { field: "i", op: "gte", value: 500 } });
    expect(many).toHaveLength(12);
    expect(many.every(({ id }) => Number(id.slice(1)) >= 500)).toBe(true);
    expect(calls.searches).toBe(1);
    // The nearest 64 do not pass, so the graph's candidates are none.
    const near = (await index.search(queries[1]!, { k: 1000 })).map(({ id }) => id);
    const filter = { not: { ids: near } };
    expect(await index.search(queries[1]!, { k: 12, filter })).toHaveLength(12);
  });

  it("returns everything for a k that is larger than the index", async () => {
    const index = hnsw({ exactBelow: 1 });
    await index.apply({ upsert: all.slice(0, 300) });
    expect(await index.search(queries[0]!, { k: 1e9 })).toHaveLength(300);
    await index.apply({ delete: all.slice(0, 299).map(({ id }) => id) });
    expect((await index.search(queries[0]!, { k: 3 })).map(({ id }) => id)).toEqual(["p299"]);
  });

  it.each<[string, () => Promise<unknown>, string]>([
    ["is missing", () => import("hnswlib-node-that-nobody-has" as string), "hnswlib-node-that-nobody-has"],
    [
      "cannot be loaded",
      () => Promise.reject(new Error("was compiled against a different Node.js version")),
      "compiled against",
    ],
    ["is another one", async () => ({ default: { Faiss: 1 } }), "has no HierarchicalNSW"],
    ["is nothing", async () => null, "has no HierarchicalNSW"],
    ["throws something odd", () => Promise.reject("why not"), "why not"],
  ])("searches exactly and says why when the module %s", async (_what, load, reason) => {
    const index = hnsw({ load, exactBelow: 1 });
    await index.apply({ upsert: all.slice(0, 500) });
    expect(await recall(index, all.slice(0, 500))).toBe(1);
    expect(index.note).toContain("every search is exact");
    expect(index.note).toContain(reason);
  });

  graphIt("searches exactly from then on when the graph fails while it is built or searched", async () => {
    const building = hnsw({ load: (await spy({ add: true })).load, exactBelow: 1 });
    await building.apply({ upsert: all.slice(0, 500) });
    expect(building.note).toContain("std::bad_alloc");
    expect(await recall(building, all.slice(0, 500))).toBe(1);

    const { fail, load } = await spy();
    const searching = hnsw({ load, exactBelow: 1 });
    await searching.apply({ upsert: all.slice(0, 500) });
    fail.search = true;
    expect(await recall(searching, all.slice(0, 500))).toBe(1);
    expect(searching.note).toContain("the graph broke");
    await searching.apply({ upsert: all.slice(500, 600) });
    expect(await recall(searching, all.slice(0, 600))).toBe(1);
  });

  it("can be closed while it is being built", async () => {
    const index = hnsw({ exactBelow: 1, efConstruction: 400 });
    const growing = index.apply({ upsert: all });
    await new Promise((turn) => setImmediate(turn));
    await index.close();
    await growing;
    await expect(index.search(queries[0]!, { k: 1 })).rejects.toThrow("closed");
  });

  it("refuses options that mean nothing", () => {
    expect(() => hnsw({ m: 1 })).toThrow("hnsw: m must be a whole number of at least 2, got 1");
    expect(() => hnsw({ m: 1000 })).toThrow("hnsw: m must be a number from 2 to 100, got 1000");
    expect(() => hnsw({ efConstruction: 8 })).toThrow(/efConstruction/);
    expect(() => hnsw({ dimension: 1.5 })).toThrow(/dimension/);
  });
});
