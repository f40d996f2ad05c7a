import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { IndexedPassage } from "@clara/core";
import { describe, expect, it } from "vitest";
import { passage } from "../testing.ts";
import { bm25 } from "./bm25.ts";

const words = { id: "words", analyze: (text: string) => text.split(/\s+/).filter(Boolean) };

describe("bm25", () => {
  it("scores as the formula says", async () => {
    const index = bm25({ analyzer: words });
    await index.apply({
      upsert: [passage("a", "lava lava ash"), passage("b", "lava"), passage("c", "ash ash ash ash vent")],
    });
    // N = 3, average length 3; lava is in 2 passages, so idf = ln(1 + 1.5 / 2.5) = 0.470004.
    const hits = await index.search({ text: "lava" }, { k: 5 });
    expect(hits.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(hits[0]!.score).toBeCloseTo((0.4700036292457356 * 2 * 2.2) / (2 + 1.2), 12);
    expect(hits[1]!.score).toBeCloseTo((0.4700036292457356 * 2.2) / (1 + 1.2 * (0.25 + 0.75 / 3)), 12);
  });

  it("counts a repeated word of the question as often as it is repeated", async () => {
    const index = bm25();
    await index.apply({ upsert: [passage("a", "lava ash"), passage("b", "vent")] });
    const [once] = await index.search({ text: "lava" }, { k: 1 });
    const [thrice] = await index.search({ text: "lava lava lava" }, { k: 1 });
    expect(thrice!.score).toBeCloseTo(3 * once!.score, 12);
  });

  it("searches titles too, and returns no passage without a word of the question", async () => {
    const index = bm25();
    await index.apply({ upsert: [passage("a", "It erupts.", { title: "Volcanoes" }), passage("b", "It melts.")] });
    expect((await index.search({ text: "volcano" }, { k: 5 })).map(({ id }) => id)).toEqual(["a"]);
    expect(await index.search({ text: "the unheard" }, { k: 5 })).toEqual([]);
  });

  it("finds a product code however it is written", async () => {
    const index = bm25();
    const codes = ["X-100", "X-200", "X-2000", "Y-200"];
    await index.apply({ upsert: codes.map((code) => passage(code, `The ${code} tent sleeps four.`)) });
    for (const question of ["X-200", "x200", "What does the X-200 weigh?"]) {
      expect((await index.search({ text: question }, { k: 1 }))[0]?.id).toBe("X-200");
    }
  });

  it("knows how telling a term is, an unknown one most of all", async () => {
    const index = bm25();
    expect(index.idf("lava")).toBeCloseTo(Math.log(2), 12);
    await index.apply({ upsert: [passage("a", "lava ash"), passage("b", "lava"), passage("c", "vent")] });
    const [lava, ash] = index.terms("Lava, ashes").map(index.idf);
    expect(lava).toBeCloseTo(Math.log(1 + 1.5 / 2.5), 12);
    expect(ash).toBeCloseTo(Math.log(1 + 2.5 / 1.5), 12);
    expect(index.idf("constructor")).toBeCloseTo(Math.log(1 + 3.5 / 0.5), 12);
    await index.apply({ delete: ["a"] });
    expect(index.idf("ash")).toBeCloseTo(Math.log(1 + 2.5 / 0.5), 12);
  });

  it("stays as it was when the analyzer throws", async () => {
    const index = bm25({
      analyzer: {
        id: "picky",
        analyze: (text) => {
          if (text.includes("bad")) throw new Error("bad text");
          return text.trim().split(" ");
        },
      },
    });
    await index.apply({ upsert: [passage("a", "lava")] });
    await expect(index.apply({ upsert: [passage("b", "lava"), passage("c", "bad")], delete: ["a"] })).rejects.toThrow(
      "bad text",
    );
    expect((await index.search({ text: "lava" }, { k: 5 })).map(({ id }) => id)).toEqual(["a"]);
  });

  it("refuses parameters that mean nothing", () => {
    expect(() => bm25({ k1: -1 })).toThrow("bm25: k1 must be a number from 0 to 100, got -1");
    expect(() => bm25({ b: Number.NaN })).toThrow("bm25: b must be a number from 0 to 1, got NaN");
  });

  it("says that it is closed", async () => {
    const index = bm25();
    await index.close();
    await expect(index.search({ text: "a" }, { k: 1 })).rejects.toThrow("bm25.search: this retriever has been closed");
  });
});

describe("a bm25 snapshot", () => {
  const make = async () => {
    const index = bm25();
    const odd = [
      passage("__proto__", "constructor \ud800 火山", { metadata: { year: 2021, ["__proto__"]: "x" } }),
      passage("b", ""),
    ];
    await index.apply({
      upsert: [passage("gone", "forgotten words"), passage("a", "lava lava ash", { title: "Rock" }), ...odd],
    });
    await index.apply({ delete: ["gone"] });
    return index;
  };

  it("holds all that answers need", async () => {
    const index = await make();
    const again = bm25({ snapshot: index.snapshot() });
    const filter = { field: "year", op: "eq", value: 2021 } as const;
    for (const text of ["lava", "constructor", "rock ash", "火山"]) {
      expect(await again.search({ text }, { k: 5 })).toEqual(await index.search({ text }, { k: 5 }));
      expect(await again.search({ text }, { k: 5, filter })).toEqual(await index.search({ text }, { k: 5, filter }));
      expect(again.terms(text).map(again.idf)).toEqual(index.terms(text).map(index.idf));
    }
    expect(again.snapshot()).toEqual(index.snapshot());
  });

  it("knows its passages again, and goes on from there", async () => {
    const index = bm25({ snapshot: (await make()).snapshot() });
    const receipt = await index.apply({
      upsert: [passage("a", "lava lava ash", { title: "Rock" }), passage("c", "tephra")],
    });
    expect(receipt).toEqual({ added: 1, updated: 0, unchanged: 1, deleted: 0, total: 4 });
    expect((await index.search({ text: "tephra" }, { k: 5 })).map(({ id }) => id)).toEqual(["c"]);
  });

  it("forgets terms that only deleted passages had", async () => {
    expect(Buffer.from((await make()).snapshot()).includes("forgotten".slice(0, 6))).toBe(false);
  });

  it("works empty, and from the middle of a larger buffer", async () => {
    expect(await bm25({ snapshot: bm25().snapshot() }).search({ text: "lava" }, { k: 1 })).toEqual([]);
    const bytes = (await make()).snapshot();
    const larger = new Uint8Array(bytes.length + 6);
    larger.set(bytes, 3);
    const index = bm25({ snapshot: larger.subarray(3, 3 + bytes.length) });
    expect(await index.search({ text: "lava" }, { k: 1 })).toHaveLength(1);
  });

  it("is refused when any byte is wrong or missing", async () => {
    const bytes = (await make()).snapshot();
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice();
      damaged[at]! ^= 1 << (at % 8);
      expect(() => bm25({ snapshot: damaged }), `byte ${at}`).toThrow(expect.objectContaining({ code: "pack" }));
    }
    for (const length of [0, 7, 16, 47, 48, bytes.length - 1]) {
      expect(() => bm25({ snapshot: bytes.subarray(0, length) })).toThrow(expect.objectContaining({ code: "pack" }));
    }
    expect(() => bm25({ snapshot: new TextEncoder().encode("hello ".repeat(20)) })).toThrow("it does not begin as one");
  });

  it("is refused when another analyzer made it", async () => {
    const snapshot = (await make()).snapshot();
    expect(() => bm25({ snapshot, analyzer: words })).toThrow(
      expect.objectContaining({
        code: "pack",
        message: expect.stringContaining(
          'it was made with the analyzer "english-1", and questions will be read with "words"',
        ),
      }),
    );
  });
});

// nDCG@10 and Recall@25 of Lucene's formula with plain words on the same set: .889 and .986.
const data = new URL("../../../../../shared/data/squad-retrieval/", import.meta.url);
it.skipIf(!existsSync(data))("finds the paragraphs of SQuAD questions (needs ../shared/data)", async () => {
  const read = (name: string): { _id: string; title: string; text: string }[] =>
    gunzipSync(readFileSync(new URL(name, data)))
      .toString()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  const index = bm25();
  await index.apply({
    upsert: read("corpus.jsonl.gz").map(({ _id, title, text }): IndexedPassage => passage(_id, text, { title })),
  });
  const gold = new Map(
    readFileSync(new URL("qrels/test.tsv", data), "utf8")
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.split("\t") as [string, string]),
  );
  let [ndcg, found, asked] = [0, 0, 0];
  for (const { _id, text } of read("queries.jsonl.gz").filter((_, i) => i % 5 === 0)) {
    const rank = (await index.search({ text }, { k: 25 })).find(({ id }) => id === gold.get(_id))?.rank;
    asked++;
    if (rank) found++;
    if (rank && rank <= 10) ndcg += 1 / Math.log2(rank + 1);
  }
  expect(ndcg / asked).toBeGreaterThan(0.88);
  expect(found / asked).toBeGreaterThan(0.98);
});
