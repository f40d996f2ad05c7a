import { check, checkEqual, checkRejects } from "./assert.ts";
import { type Case, checkHits, idsOf, topics } from "./setup.ts";

export const ranking: readonly Case[] = [
  {
    title: "puts the passage that a question repeats first",
    async run({ make, passage, query }) {
      const retriever = await make();
      await retriever.apply({ upsert: topics.map(([id, text]) => passage(id, text)) });
      for (const [id, text] of topics) {
        const hits = await retriever.search(query(text), { k: 5 });
        checkHits(hits, 5, retriever, new Set(topics.map(([each]) => each)));
        checkEqual(`first hit for ${JSON.stringify(text)}`, hits[0]?.id, id);
      }
    },
  },
  {
    title: "finds nothing in an empty index",
    async run({ make, query }) {
      const retriever = await make();
      checkEqual("hits before any passage", await retriever.search(query("lava"), { k: 3 }), []);
      checkEqual("receipt of an empty batch", (await retriever.apply({})).total, 0);
      checkEqual("hits after an empty batch", await retriever.search(query("lava"), { k: 3 }), []);
    },
  },
  {
    title: "works with one passage, with two and with three",
    async run({ make, passage, query }) {
      const retriever = await make();
      for (const [id, text] of topics.slice(0, 3)) {
        await retriever.apply({ upsert: [passage(id, text)] });
        const hits = await retriever.search(query(text), { k: 10 });
        checkHits(hits, 10, retriever);
        checkEqual(`first hit for ${JSON.stringify(text)}`, hits[0]?.id, id);
        check(hits[0]!.score > 0, `the score of a passage for its own text must be positive, got ${hits[0]!.score}`);
      }
    },
  },
  {
    title: "returns k hits when more match, and all of them when fewer do",
    async run({ make, passage, query }) {
      const retriever = await make();
      const texts = Array.from({ length: 9 }, (_, i) => passage(`lava#${i}`, `lava ${"ash ".repeat(i + 1)}`));
      await retriever.apply({ upsert: texts });
      const all = await retriever.search(query("lava"), { k: 1000 });
      checkEqual("hits for k = 1000 of 9 passages", all.length, 9);
      for (const k of [1, 2, 5, 9]) {
        const hits = await retriever.search(query("lava"), { k });
        checkHits(hits, k, retriever);
        checkEqual(`hits for k = ${k}`, idsOf(hits), idsOf(all).slice(0, k));
      }
    },
  },
  {
    title: "orders equal scores by id, in whatever order they were added",
    async run({ make, passage, query }) {
      const retriever = await make();
      // "#10" sorts before "#9": ids are strings, compared by code unit.
      const ids = ["same#9", "same#10", "same#B", "same#a", "same#2", "same#é"];
      await retriever.apply({
        upsert: [...ids.map((id) => passage(id, "crater ash", { document: "same" })), passage("z", "violin")],
      });
      const hits = await retriever.search(query("crater ash"), { k: 6 });
      checkEqual("ids of equal passages", idsOf(hits), ["same#10", "same#2", "same#9", "same#B", "same#a", "same#é"]);
      const some = await retriever.search(query("crater ash"), { k: 3 });
      checkEqual("ids of the first three", idsOf(some), ["same#10", "same#2", "same#9"]);
    },
  },
  {
    title: "answers the same question the same way every time",
    async run({ make, passage, query }) {
      const retriever = await make();
      await retriever.apply({ upsert: topics.map(([id, text]) => passage(id, text)) });
      const first = await retriever.search(query("lava ovens on reefs"), { k: 8 });
      for (let i = 0; i < 3; i++) {
        checkEqual("hits", await retriever.search(query("lava ovens on reefs"), { k: 8 }), first);
      }
    },
  },
  {
    title: "refuses a k that is not a whole number of at least 1",
    async run({ make, passage, query }) {
      const retriever = await make();
      await retriever.apply({ upsert: [passage("a", "lava")] });
      for (const k of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "3" as unknown as number]) {
        await checkRejects(`k = ${String(k)}`, () => retriever.search(query("lava"), { k }), ["option"]);
      }
    },
  },
  {
    title: "does not begin when the signal has fired",
    async run({ make, passage, query }) {
      const retriever = await make();
      await retriever.apply({ upsert: [passage("a", "lava")] });
      const signal = AbortSignal.abort();
      await checkRejects("search", () => retriever.search(query("lava"), { k: 1, signal }), ["aborted"]);
      checkEqual("hits afterwards", idsOf(await retriever.search(query("lava"), { k: 1 })), ["a"]);
    },
  },
];
