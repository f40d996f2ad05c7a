import type { Batch, IndexedPassage } from "@clara/core";
import { check, checkEqual, checkRejects } from "./assert.ts";
import { type Case, checkHits, idsOf, topics } from "./setup.ts";

export const writing: readonly Case[] = [
  {
    title: "counts what is added, updated, unchanged and deleted",
    async run({ make, passage }) {
      const retriever = await make();
      const [a, b, c] = [passage("a", "lava"), passage("b", "ash"), passage("c", "crater")];
      const receipts = [
        [{ upsert: [a, b] }, { added: 2, updated: 0, unchanged: 0, deleted: 0, total: 2 }],
        [{ upsert: [a, b] }, { added: 0, updated: 0, unchanged: 2, deleted: 0, total: 2 }],
        [{ upsert: [passage("b", "basalt"), c] }, { added: 1, updated: 1, unchanged: 0, deleted: 0, total: 3 }],
        [{ delete: ["a", "a", "never there"] }, { added: 0, updated: 0, unchanged: 0, deleted: 1, total: 2 }],
        [
          { upsert: [a], delete: ["c"] },
          { added: 1, updated: 0, unchanged: 0, deleted: 1, total: 2 },
        ],
        [
          { upsert: [a], delete: ["a"] },
          { added: 0, updated: 0, unchanged: 1, deleted: 0, total: 2 },
        ],
        [{}, { added: 0, updated: 0, unchanged: 0, deleted: 0, total: 2 }],
      ] as const satisfies [Batch, unknown][];
      for (const [batch, expected] of receipts) {
        const { added, updated, unchanged, deleted, total } = await retriever.apply(batch);
        checkEqual(`receipt of ${summary(batch)}`, { added, updated, unchanged, deleted, total }, expected);
      }
    },
  },
  {
    title: "keeps passages apart that have the same text",
    async run({ make, passage, query }) {
      const retriever = await make();
      await retriever.apply({ upsert: [passage("b", "lava ash"), passage("a", "lava ash"), passage("c", "violin")] });
      checkEqual("hits", idsOf(await retriever.search(query("lava ash"), { k: 2 })), ["a", "b"]);
      await retriever.apply({ delete: ["a"] });
      checkEqual("first hit after deleting one", (await retriever.search(query("lava ash"), { k: 2 }))[0]?.id, "b");
    },
  },
  {
    title: "finds a passage by its new text after an update, and no longer by its old one",
    async run({ make, passage, query }) {
      const retriever = await make();
      await retriever.apply({ upsert: topics.map(([id, text]) => passage(id, text)) });
      const [[first, old], [second]] = [topics[0]!, topics[1]!];
      await retriever.apply({ upsert: [passage(first, "Tulips bloom early"), passage(second, old)] });
      checkEqual(
        "first hit for the new text",
        (await retriever.search(query("Tulips bloom early"), { k: 3 }))[0]?.id,
        first,
      );
      checkEqual("first hit for the old text", (await retriever.search(query(old), { k: 3 }))[0]?.id, second);
    },
  },
  {
    title: "does not find what was deleted, even when all was",
    async run({ make, passage, query }) {
      const retriever = await make();
      await retriever.apply({ upsert: topics.map(([id, text]) => passage(id, text)) });
      const left = new Set(topics.map(([id]) => id));
      for (const [id, text] of topics) {
        left.delete(id);
        checkEqual(`total without ${id}`, (await retriever.apply({ delete: [id] })).total, left.size);
        checkHits(await retriever.search(query(text), { k: 8 }), 8, retriever, left);
      }
      await retriever.apply({ upsert: [passage("again", "lava")] });
      checkEqual("hits after a new start", idsOf(await retriever.search(query("lava"), { k: 8 })), ["again"]);
    },
  },
  {
    title: "changes nothing when one passage of a batch is bad",
    async run({ make, passage, query }) {
      const retriever = await make();
      await retriever.apply({ upsert: [passage("a", "lava"), passage("b", "ash")] });
      const before = await retriever.search(query("lava ash"), { k: 5 });
      const good = passage("good", "lava");
      const bad: [string, Partial<Record<keyof IndexedPassage, unknown>>][] = [
        ["an empty id", { id: "" }],
        ["an id that is a number", { id: 7 }],
        ["no text", { text: undefined }],
        ["no metadata", { metadata: null }],
        ["metadata that is an object", { metadata: { a: {} } }],
        ["the id of another one in the batch", { id: "good" }],
      ];
      if (retriever.capabilities.vector) {
        const hole = good.vector!.slice();
        hole[1] = Number.NaN;
        const infinite = good.vector!.slice();
        infinite[0] = Number.POSITIVE_INFINITY;
        bad.push(
          ["no vector", { vector: undefined }],
          ["a NaN vector", { vector: hole }],
          ["an infinite vector", { vector: infinite }],
          ["a vector that is too short", { vector: good.vector!.slice(1) }],
          ["an array for a vector", { vector: Array.from(good.vector!) }],
        );
      }
      for (const [what, part] of bad) {
        const upsert = [good, { ...passage("bad", "ash"), ...part } as IndexedPassage];
        await checkRejects(what, () => retriever.apply({ upsert, delete: ["a"] }), ["input", "shape", "option"]);
        checkEqual(`total after ${what}`, (await retriever.apply({})).total, 2);
        checkEqual(`hits after ${what}`, await retriever.search(query("lava ash"), { k: 5 }), before);
      }
    },
  },
  {
    title: "keeps a copy: what happens to a passage later does not reach the index",
    async run({ make, passage, query }) {
      const retriever = await make();
      const metadata = { shelf: 1 };
      const a = passage("a", "lava", { metadata });
      await retriever.apply({ upsert: [a, passage("b", "violin")] });
      const before = await retriever.search(query("lava"), { k: 1 });
      metadata.shelf = 2;
      a.vector!.fill(0);
      checkEqual("hits", await retriever.search(query("lava"), { k: 1 }), before);
      if (retriever.capabilities.filter === "none") return;
      const filter = { field: "shelf", op: "eq", value: 1 } as const;
      checkEqual("filtered hits", idsOf(await retriever.search(query("lava"), { k: 1, filter })), ["a"]);
    },
  },
  {
    title: "answers questions while it is being changed",
    async run({ make, passage, query }) {
      const retriever = await make();
      const batch = (from: number) =>
        Array.from({ length: 40 }, (_, i) => passage(`p#${from + i}`, `lava number${from + i}`));
      const ids = new Set(Array.from({ length: 160 }, (_, i) => `p#${i}`));
      const jobs: Promise<unknown>[] = [];
      for (let from = 0; from < 160; from += 40) {
        jobs.push(retriever.apply({ upsert: batch(from) }));
        for (let i = 0; i < 3; i++) {
          jobs.push(retriever.search(query("lava"), { k: 10 }).then((hits) => checkHits(hits, 10, retriever, ids)));
          await Promise.resolve();
        }
      }
      await Promise.all(jobs);
      const { total } = await retriever.apply({});
      check(total === 160, `all passages of batches given at once must be in the index, got ${total} of 160`);
    },
  },
  {
    title: "can be closed twice",
    async run({ make, passage }) {
      const retriever = await make();
      await retriever.apply({ upsert: [passage("a", "lava")] });
      await retriever.close();
      await retriever.close();
    },
  },
];

function summary({ upsert = [], delete: gone = [] }: Batch): string {
  return `upsert ${upsert.map(({ id }) => id).join(",") || "nothing"}, delete ${gone.join(",") || "nothing"}`;
}
