import type { Batch, Hit, WritableRetriever } from "@clara/core";
import { describe, expect, it } from "vitest";
import { checkRetriever } from "../conformance.ts";
import { bm25 } from "../retrievers/bm25.ts";
import { exact } from "../retrievers/exact.ts";

type Search = WritableRetriever["search"];

/** A retriever with one fault. */
const searching = (make: () => WritableRetriever, change: (search: Search) => Search) => () => {
  const good = make();
  return { ...good, search: change(good.search) };
};
const hits = (make: () => WritableRetriever, change: (hits: readonly Hit[]) => readonly Hit[]) =>
  searching(make, (search) => async (query, options) => change(await search(query, options)));
const applying =
  (make: () => WritableRetriever, change: (apply: WritableRetriever["apply"]) => WritableRetriever["apply"]) => () => {
    const good = make();
    return { ...good, apply: change(good.apply) };
  };

const faults: Record<string, () => WritableRetriever> = {
  "loses the last hit": hits(bm25, (all) => all.slice(0, -1)),
  "returns the worst first": hits(bm25, (all) => all.toReversed().map((hit, i) => ({ ...hit, rank: i + 1 }))),
  "ranks from 0": hits(bm25, (all) => all.map((hit) => ({ ...hit, rank: hit.rank - 1 }))),
  "names another source": hits(bm25, (all) => all.map((hit) => ({ ...hit, source: "?" }))),
  "gives scores that are NaN": hits(exact, (all) => all.map((hit) => ({ ...hit, score: Number.NaN }))),
  "returns a hit twice": hits(bm25, (all) => all.map((hit) => ({ ...hit, id: all[0]!.id }))),
  "ignores k": searching(bm25, (search) => (query, options) => search(query, { ...options, k: options.k + 1 })),
  "ignores filters": searching(
    exact,
    (search) =>
      (query, { k }) =>
        search(query, { k }),
  ),
  "ignores the signal": searching(
    bm25,
    (search) =>
      (query, { signal: _, ...options }) =>
        search(query, options),
  ),
  "filters after ranking": searching(exact, (search) => async (query, options) => {
    const some = await search(query, { k: options.k });
    const passing = new Set((await search(query, options)).map(({ id }) => id));
    return some.filter(({ id }) => passing.has(id)).map((hit, i) => ({ ...hit, rank: i + 1 }));
  }),
  "takes any k": searching(
    bm25,
    (search) => (query, options) => search(query, { ...options, k: Number(options.k) >= 1 ? 5 : 1 }),
  ),
  "orders ties backwards": hits(bm25, (all) =>
    [...all].sort((a, b) => b.score - a.score || (a.id < b.id ? 1 : -1)).map((hit, i) => ({ ...hit, rank: i + 1 })),
  ),
  "dies of odd questions": searching(
    bm25,
    (search) => (query, options) => search({ ...query, text: decodeURI(encodeURI(query.text)) }, options),
  ),
  "never deletes": applying(bm25, (apply) => (batch) => apply(batch.upsert ? { upsert: batch.upsert } : {})),
  "applies what it can": applying(bm25, (apply) => async (batch: Batch) => {
    let last = await apply({ delete: batch.delete ?? [] });
    for (const each of batch.upsert ?? []) last = await apply({ upsert: [each] });
    return last;
  }),
  "adds everything twice": applying(bm25, (apply) => async (batch) => {
    await apply({ delete: (batch.upsert ?? []).map(({ id }) => id) });
    return apply(batch);
  }),
  "keeps the first text for ever": applying(bm25, (apply) => {
    const seen = new Set<string>();
    return (batch) =>
      apply({ ...batch, upsert: (batch.upsert ?? []).filter(({ id }) => !seen.has(id) && seen.add(id)) });
  }),
  "ignores NaN in vectors": applying(
    exact,
    (apply) => (batch) =>
      apply({
        ...batch,
        upsert:
          batch.upsert?.map((each) => ({ ...each, vector: each.vector?.map?.((x) => x || 0) as Float32Array })) ?? [],
      }),
  ),
  "closes once only": () => {
    let closed = false;
    const close = async () => {
      if (closed) throw new Error("closed already");
      closed = true;
    };
    return { ...bm25(), close };
  },
};

describe("the conformance kit", () => {
  it.each(Object.keys(faults))("catches a retriever that %s", async (fault) => {
    const { ok, failed } = await checkRetriever(faults[fault]!);
    expect({ ok, failures: failed.length > 0 }).toEqual({ ok: false, failures: true });
  });

  it("reports what passed and what did not apply", async () => {
    const report = await checkRetriever(bm25, { dimension: 8 });
    expect(report.failed).toEqual([]);
    expect(report.ok).toBe(true);
    expect(report.passed.length).toBeGreaterThan(20);
    expect(report.skipped).toContain("refuses every filter rather than ignore it");
  });

  it("reports a retriever that cannot even be made", async () => {
    const report = await checkRetriever(() => Promise.reject(new Error("no server")));
    expect([report.ok, report.passed]).toEqual([false, []]);
  });
});
