import { describe, expect, it } from "vitest";
import { passage } from "../testing.ts";
import { exact } from "./exact.ts";

const query = (...vector: number[]) => ({ text: "", vector: Float32Array.from(vector) });

describe("exact", () => {
  it("scores by cosine, whatever the lengths", async () => {
    const index = exact();
    const vectors = { a: [10, 0], b: [3, 4], c: [0, 0.001], d: [-5, 0] };
    await index.apply({ upsert: Object.entries(vectors).map(([id, vector]) => passage(id, "", { vector })) });
    const hits = await index.search(query(2, 0), { k: 4 });
    expect(hits.map(({ id, score }) => [id, Number(score.toFixed(6))])).toEqual([
      ["a", 1],
      ["b", 0.6],
      ["c", 0],
      ["d", -1],
    ]);
  });

  it("reads vectors of the largest and smallest numbers", async () => {
    const index = exact();
    await index.apply({
      upsert: [passage("big", "", { vector: [3e38, 3e38] }), passage("small", "", { vector: [1e-45, -1e-45] })],
    });
    const [first, second] = await index.search(query(1, 1), { k: 2 });
    expect([first!.id, second!.id]).toEqual(["big", "small"]);
    expect(first!.score).toBeCloseTo(1, 6);
    expect(second!.score).toBeCloseTo(0, 6);
  });

  it("keeps a passage whose vector is all zero and gives it 0", async () => {
    const index = exact();
    await index.apply({ upsert: [passage("zero", "", { vector: [0, 0] }), passage("away", "", { vector: [-1, 0] })] });
    expect((await index.search(query(1, 0), { k: 2 })).map(({ id, score }) => [id, score])).toEqual([
      ["zero", 0],
      ["away", -1],
    ]);
    expect((await index.search(query(0, 0), { k: 2 })).map(({ id }) => id)).toEqual(["away", "zero"]);
  });

  it("takes its width from the first vector, or from the option", async () => {
    const index = exact();
    await index.apply({ upsert: [passage("a", "", { vector: [1, 0] })] });
    await expect(index.apply({ upsert: [passage("b", "", { vector: [1, 0, 0] })] })).rejects.toThrow(
      'exact.apply: passage "b": the vector must have 2 numbers, as in the index, got 3',
    );
    await expect(exact({ dimension: 3 }).search(query(1, 0), { k: 1 })).rejects.toThrow(/must have 3 numbers/);
    const mixed = [passage("a", "", { vector: [1] }), passage("b", "", { vector: [1, 2] })];
    await expect(exact().apply({ upsert: mixed })).rejects.toThrow(/must have 1 numbers/);
    expect(() => exact({ dimension: 0 })).toThrow(/dimension must be a whole number of at least 1/);
  });

  it("says where a vector is not finite", async () => {
    const upsert = [passage("a", "", { vector: [1, Number.NaN] })];
    await expect(exact().apply({ upsert })).rejects.toThrow(
      'passage "a": the vector must be finite, got NaN at position 1',
    );
  });
});
