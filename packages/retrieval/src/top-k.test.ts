import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byScoreThenId, topK } from "./top-k.ts";

describe("topK", () => {
  it("keeps what sorting everything would keep", () => {
    const item = fc.record({ id: fc.integer({ min: 0, max: 30 }).map(String), score: fc.integer({ min: 0, max: 5 }) });
    const items = fc.uniqueArray(item, { selector: ({ id }) => id });
    fc.assert(
      fc.property(items, fc.integer({ min: 1, max: 40 }), (all, k) => {
        const best = topK(k);
        for (const { id, score } of all) best.offer(score, id);
        const expected = [...all].sort(byScoreThenId).slice(0, k);
        expect(best.hits("x").map(({ id, score }) => ({ id, score }))).toEqual(expected);
      }),
    );
  });

  it("ranks from 1 and names the source", () => {
    const best = topK(2);
    best.offer(1, "b");
    best.offer(1, "a");
    expect(best.hits("mine")).toEqual([
      { id: "a", score: 1, rank: 1, source: "mine" },
      { id: "b", score: 1, rank: 2, source: "mine" },
    ]);
  });

  it("wants only what would get in", () => {
    const best = topK(1);
    expect(best.wants(-5, "z")).toBe(true);
    best.offer(1, "b");
    expect([best.wants(1, "a"), best.wants(1, "c"), best.wants(2, "z"), best.wants(0, "a")]).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });
});
