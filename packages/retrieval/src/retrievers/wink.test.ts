import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { passage } from "../testing.ts";
import { bm25 } from "./bm25.ts";
import { wink } from "./wink.ts";

describe("wink", () => {
  it("agrees with bm25 on any passages, from the first one on", async () => {
    const word = fc.constantFrom(
      "lava",
      "ash",
      "vent",
      "constructor",
      "__proto__",
      "toString",
      "X-200",
      "火山",
      "café",
    );
    const text = fc.array(word, { maxLength: 12 }).map((list) => list.join(" "));
    const parameters = fc.record({ k1: fc.constantFrom(0, 0.9, 1.2, 3), b: fc.constantFrom(0, 0.4, 0.75, 1) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { maxLength: 12 }),
        fc.array(text, { minLength: 1, maxLength: 4 }),
        parameters,
        async (texts, questions, options) => {
          const [ours, theirs] = [bm25(options), wink(options)];
          const upsert = texts.map((each, i) => passage(`p${i}`, each));
          await ours.apply({ upsert });
          await theirs.apply({ upsert });
          for (const question of questions) {
            const [a, b] = [
              await ours.search({ text: question }, { k: 20 }),
              await theirs.search({ text: question }, { k: 20 }),
            ];
            const scores = new Map(b.map(({ id, score }) => [id, score]));
            expect(scores.size).toBe(a.length);
            for (const { id, score } of a) expect(Math.abs(scores.get(id)! - score) / score).toBeLessThan(1e-5);
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it("orders ids as strings, though wink orders number-like ones as numbers", async () => {
    const index = wink();
    await index.apply({ upsert: ["9", "10", "2"].map((id) => passage(id, "lava")) });
    expect((await index.search({ text: "lava" }, { k: 3 })).map(({ id }) => id)).toEqual(["10", "2", "9"]);
  });

  it("tells scores apart that differ in the sixth digit", async () => {
    const index = wink();
    const long = (n: number) => `lava ${"ash ".repeat(n)}`;
    await index.apply({ upsert: [passage("a", long(30_001)), passage("b", long(30_000)), passage("c", long(30_002))] });
    expect((await index.search({ text: "lava" }, { k: 3 })).map(({ id }) => id)).toEqual(["b", "a", "c"]);
  });

  it("refuses parameters that wink would silently replace", () => {
    expect(() => wink({ b: 2 })).toThrow("wink: b must be a number from 0 to 1, got 2");
  });
});
