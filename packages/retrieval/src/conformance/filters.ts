import type { Filter } from "@clara/core";
import { checkEqual, checkRejects } from "./assert.ts";
import { type Case, checkHits } from "./setup.ts";

const everything: readonly (readonly [Filter, string])[] = [
  [{ field: "lang", op: "eq", value: "en" }, "abd"],
  [{ field: "lang", op: "ne", value: "en" }, "ce"],
  [{ field: "year", op: "eq", value: "2020" }, ""],
  [{ field: "year", op: "in", value: [2020, 2022] }, "ac"],
  [{ field: "year", op: "lt", value: 2021 }, "a"],
  [{ field: "year", op: "lte", value: 2021 }, "ab"],
  [{ field: "year", op: "gt", value: 2021 }, "cd"],
  [{ field: "year", op: "gte", value: 2021 }, "bcd"],
  [{ field: "lang", op: "lt", value: "en" }, "c"],
  [{ field: "draft", op: "exists" }, "ae"],
  [{ field: "draft", op: "exists", value: false }, "bcd"],
  [{ field: "draft", op: "eq", value: false }, "e"],
  [{ field: "document", op: "eq", value: "one" }, "ab"],
  [{ field: "constructor", op: "exists" }, ""],
  [{ ids: ["e", "b", "nobody"] }, "be"],
  [{ ids: [] }, ""],
  [
    {
      and: [
        { field: "lang", op: "eq", value: "en" },
        { field: "year", op: "gt", value: 2020 },
      ],
    },
    "bd",
  ],
  [{ or: [{ ids: ["c"] }, { field: "draft", op: "eq", value: true }] }, "ac"],
  [{ not: { field: "lang", op: "eq", value: "en" } }, "ce"],
  [{ and: [] }, "abcde"],
  [{ or: [] }, ""],
];

const impossible: readonly unknown[] = [
  {},
  [],
  "lang = en",
  { field: "year", op: "between", value: 3 },
  { field: "year", op: "eq" },
  { field: "year", op: "in", value: 3 },
  { field: "year", op: "lt", value: true },
  { field: 3, op: "exists" },
  { and: { field: "a", op: "exists" } },
  { ids: "a" },
  { ids: ["a"], not: { ids: ["b"] } },
];

export const filters: readonly Case[] = [
  {
    title: "filters before it ranks",
    applies: ({ capabilities }) => capabilities.filter === "pre",
    async run({ make, passage, query }) {
      const retriever = await make();
      await retriever.apply({
        upsert: [
          passage("a", "lava one", { document: "one", metadata: { lang: "en", year: 2020, draft: true } }),
          passage("b", "lava two", { document: "one", metadata: { lang: "en", year: 2021 } }),
          passage("c", "lava three", { document: "two", metadata: { lang: "de", year: 2022 } }),
          passage("d", "lava four", { document: "two", metadata: { lang: "en", year: 2023 } }),
          passage("e", "lava five", { document: "three", metadata: { draft: false } }),
        ],
      });
      for (const [filter, expected] of everything) {
        const hits = await retriever.search(query("lava"), { k: 5, filter });
        checkHits(hits, 5, retriever);
        const found = hits.map(({ id }) => id).sort();
        checkEqual(`hits for ${JSON.stringify(filter)}`, found.join(""), expected);
        if (expected === "") continue;
        checkEqual(
          `one hit for ${JSON.stringify(filter)}`,
          (await retriever.search(query("lava"), { k: 1, filter })).length,
          1,
        );
      }
    },
  },
  {
    title: "returns k hits when k pass the filter, however good those are that do not",
    applies: ({ capabilities }) => capabilities.filter === "pre",
    async run({ make, passage, query }) {
      const retriever = await make();
      const upsert = Array.from({ length: 60 }, (_, i) =>
        passage(`p#${i}`, i < 55 ? "lava" : `lava in rather a lot of other words ${i}`, {
          metadata: { last: i >= 55 },
        }),
      );
      await retriever.apply({ upsert });
      const filter: Filter = { field: "last", op: "eq", value: true };
      checkEqual("hits", (await retriever.search(query("lava"), { k: 5, filter })).length, 5);
    },
  },
  {
    title: "refuses a filter that means nothing",
    async run({ make, passage, query }) {
      const retriever = await make();
      await retriever.apply({ upsert: [passage("a", "lava")] });
      for (const filter of impossible) {
        const search = () => retriever.search(query("lava"), { k: 1, filter: filter as Filter });
        await checkRejects(JSON.stringify(filter), search, ["option", "unsupported"]);
      }
    },
  },
  {
    title: "refuses every filter rather than ignore it",
    applies: ({ capabilities }) => capabilities.filter === "none",
    async run({ make, passage, query }) {
      const retriever = await make();
      await retriever.apply({ upsert: [passage("a", "lava")] });
      const search = () => retriever.search(query("lava"), { k: 1, filter: { ids: ["a"] } });
      await checkRejects("a filter", search, ["option", "unsupported"]);
    },
  },
];
