import { maxCosine } from "@clara/compressor";
import type { Memory } from "@clara/core";
import { tf } from "@clara/tensor";
import { describe, expect, it } from "vitest";
import { type Candidate, type Closeness, rerank, type SupportFit, supportOf } from "./rerank.ts";

const vector = Float32Array.from([1, 0]);
const asked = { vector, states: vector };
const closeness: Closeness = ({ vector }, memory) => maxCosine(vector, memory);
const fit: SupportFit = { bias: -2, best: 4, mean: 2, overlap: 1 };

/** Memory tokens in the plane, each standing for one token. */
function memory(...vectors: [number, number][]): Memory {
  return {
    rate: 1,
    count: vectors.length,
    width: 2,
    vectors: Float32Array.from(vectors.flat()),
    tokens: Uint16Array.from(vectors, () => 1),
    spans: new Uint32Array(2 * vectors.length),
  };
}

function candidate(id: string, held: Memory, text: string = id): Candidate {
  return {
    hit: { id, score: 1, rank: 1, source: "hybrid" },
    passage: { id, document: id, title: "", text, start: 0, end: text.length, metadata: {} },
    memory: held,
  };
}

const ids = (ranked: readonly Candidate[]): string[] => ranked.map(({ passage }) => passage.id);

describe("supportOf", () => {
  it("is the logistic of the weighted features", () => {
    expect(supportOf({ best: 0.5, mean: 0, overlap: 0 }, fit)).toBeCloseTo(0.5, 12);
    expect(supportOf({ best: 1, mean: 1, overlap: 1 }, fit)).toBeCloseTo(1 / (1 + Math.exp(-5)), 12);
  });
});

describe("rerank", () => {
  it("orders by the best memory token, the mean and the words, best first", async () => {
    const far = candidate("far", memory([0, 1], [0, 1]));
    const near = candidate("near", memory([1, 0], [1, 0]));
    const half = candidate("half", memory([0, 1], [1, 0]));
    const ranked = await rerank(asked, [far, near, half], { k: 3, fit, closeness, overlap: () => 0 });
    expect(ids(ranked)).toEqual(["near", "half", "far"]);
    expect(ranked[1]!.features.best).toBeCloseTo(1, 5);
    expect(ranked[1]!.features.mean).toBeCloseTo(Math.SQRT1_2, 5);
    expect(ranked[1]!.score).toBeCloseTo(supportOf(ranked[1]!.features, fit), 12);
  });

  it("compares as the model does", async () => {
    const two = [candidate("a", memory([1, 0])), candidate("b", memory([0, 1]))];
    const last: Closeness = ({ states }, { count }) => (states === vector ? count / 4 : 0);
    const ranked = await rerank(asked, two, { k: 2, fit: { ...fit, mean: 0 }, closeness: last, overlap: () => 0 });
    expect(ranked.map(({ features }) => features.best)).toEqual([0.25, 0.25]);
  });

  it("lets the words decide between equal memories", async () => {
    const two = [candidate("a", memory([1, 0])), candidate("b", memory([1, 0]))];
    const ranked = await rerank(asked, two, { k: 2, fit, closeness, overlap: (text) => (text.includes("b") ? 1 : 0) });
    expect(ids(ranked)).toEqual(["b", "a"]);
  });

  it("keeps the order of equal scores, and gives k of them", async () => {
    const equal = ["c", "a", "b", "d"].map((id) => candidate(id, memory([0.6, 0.8])));
    expect(ids(await rerank(asked, equal, { k: 3, fit, closeness, overlap: () => 0.5 }))).toEqual(["c", "a", "b"]);
  });

  it("gives all candidates when there are fewer than k", async () => {
    expect(
      ids(await rerank(asked, [candidate("a", memory([1, 0]))], { k: 5, fit, closeness, overlap: () => 0 })),
    ).toEqual(["a"]);
    expect(await rerank(asked, [], { k: 5, fit, closeness, overlap: () => 0 })).toEqual([]);
  });

  it("does not let the padding of a short memory win over its vectors", async () => {
    // Every vector of "away" points away from the question: padding (zeros) must not count as a better match.
    const away = candidate("away", memory([-1, 0]));
    const long = candidate("long", memory([0, 1], [0, 1], [0, 1]));
    const ranked = await rerank(asked, [away, long], { k: 2, fit, closeness, overlap: () => 0 });
    expect(ids(ranked)).toEqual(["long", "away"]);
    expect(ranked[1]!.features.best).toBeCloseTo(-1, 5);
  });

  it("frees its tensors", async () => {
    const before = tf.memory().numTensors;
    await rerank(asked, [candidate("a", memory([1, 0]))], { k: 1, fit, closeness, overlap: () => 0 });
    expect(tf.memory().numTensors).toBe(before);
  });
});
