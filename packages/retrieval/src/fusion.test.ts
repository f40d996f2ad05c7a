import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type RankedLists, rrfFusion, unionFusion, weightedFusion } from "./fusion.ts";

const lists = {
  bm25: [
    { id: "a", score: 9 },
    { id: "b", score: 5 },
    { id: "c", score: 1 },
  ],
  dense: [
    { id: "c", score: 0.9 },
    { id: "d", score: 0.7 },
  ],
};
const scores = (hits: readonly { id: string; score: number }[]) =>
  hits.map(({ id, score }) => [id, Number(score.toFixed(6))]);

describe("unionFusion", () => {
  it("returns every hit once, ordered by reciprocal rank", () => {
    expect(scores(unionFusion(lists))).toEqual([
      ["c", Number((1 / 63 + 1 / 61).toFixed(6))],
      ["a", Number((1 / 61).toFixed(6))],
      ["b", Number((1 / 62).toFixed(6))],
      ["d", Number((1 / 62).toFixed(6))],
    ]);
  });

  it("tells where each hit came from", () => {
    const [first, second] = unionFusion(lists);
    expect(first).toMatchObject({
      rank: 1,
      source: "union",
      from: { bm25: { rank: 3, score: 1 }, dense: { rank: 1, score: 0.9 } },
    });
    expect(second!.from).toEqual({ bm25: { rank: 1, score: 9 } });
  });

  it("cuts at the limit and names the source it is given", () => {
    expect(unionFusion(lists, { limit: 2, source: "hybrid" }).map(({ id, source }) => [id, source])).toEqual([
      ["c", "hybrid"],
      ["a", "hybrid"],
    ]);
    expect(() => unionFusion(lists, { limit: 0 })).toThrow(/limit must be a whole number of at least 1, got 0/);
  });

  it("finds nothing in nothing", () => {
    expect(unionFusion({})).toEqual([]);
    expect(unionFusion({ bm25: [], dense: [] })).toEqual([]);
  });

  it("counts an id that a list repeats where it stands first", () => {
    expect(unionFusion({ bm25: [lists.bm25[0]!, lists.bm25[1]!, lists.bm25[0]!] })[0]!.from).toEqual({
      bm25: { rank: 1, score: 9 },
    });
  });
});

describe("rrfFusion", () => {
  it("weighs lists", () => {
    expect(scores(rrfFusion(lists, { k: 1, weights: { bm25: 2, dense: 0.5 } }))).toEqual([
      ["a", 1],
      ["c", 0.75],
      ["b", 0.666667],
      ["d", 0.166667],
    ]);
  });

  it("refuses weights that mean nothing", () => {
    expect(() => rrfFusion(lists, { weights: { bm52: 1 } })).toThrow(
      'weights are for "bm25" and "dense", got one for "bm52"',
    );
    expect(() => rrfFusion(lists, { weights: { bm25: Number.NaN } })).toThrow(/weights.bm25 must be a number from 0/);
    expect(() => rrfFusion(lists, { weights: { bm25: -1 } })).toThrow(/weights.bm25/);
    expect(() => rrfFusion(lists, { k: -1 })).toThrow(/k must be a number from 0/);
  });
});

describe("weightedFusion", () => {
  it("adds scores that were brought to 0…1 in each list", () => {
    expect(scores(weightedFusion(lists, { weights: { bm25: 1, dense: 2 } }))).toEqual([
      ["c", 2],
      ["a", 1],
      ["b", 0.5],
      ["d", 0],
    ]);
  });

  it("counts a single hit and equal hits as 1", () => {
    expect(scores(weightedFusion({ dense: [{ id: "x", score: -0.3 }] }))).toEqual([["x", 1]]);
    const equal = [
      { id: "b", score: 2 },
      { id: "a", score: 2 },
    ];
    // Equal scores are ordered by best rank first, and "b" stands first in its list.
    expect(scores(weightedFusion({ bm25: equal }))).toEqual([
      ["b", 1],
      ["a", 1],
    ]);
  });

  it("orders equal scores and ranks by id", () => {
    expect(unionFusion({ one: [{ id: "z", score: 1 }], two: [{ id: "a", score: 1 }] }).map(({ id }) => id)).toEqual([
      "a",
      "z",
    ]);
  });

  it("refuses scores that are not finite", () => {
    expect(() => weightedFusion({ dense: [{ id: "x", score: Number.NaN }] })).toThrow('got NaN for "x" in "dense"');
  });

  it("stays finite, sorted and complete for any finite scores", () => {
    const hit = fc.record({
      id: fc.constantFrom("a", "b", "c", "__proto__", "constructor"),
      score: fc.double({ noNaN: true, noDefaultInfinity: true }),
    });
    fc.assert(
      fc.property(fc.array(hit), fc.array(hit), (bm25, dense) => {
        const both: RankedLists = { bm25, dense };
        for (const fused of [weightedFusion(both), rrfFusion(both), unionFusion(both)]) {
          expect(fused.every(({ score }) => Number.isFinite(score))).toBe(true);
          expect(fused.map(({ score }) => score)).toEqual(fused.map(({ score }) => score).sort((x, y) => y - x));
          expect(new Set(fused.map(({ id }) => id))).toEqual(new Set([...bm25, ...dense].map(({ id }) => id)));
        }
      }),
    );
  });
});
