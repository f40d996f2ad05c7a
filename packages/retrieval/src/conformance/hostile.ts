import { check, checkEqual, checkRejects } from "./assert.ts";
import { type Case, checkHits, idsOf, topics } from "./setup.ts";

const questions: readonly string[] = [
  "",
  " \n\t ",
  "constructor",
  "__proto__",
  "toString hasOwnProperty valueOf prototype",
  "'; drop table passages; --",
  '") or 1=1 /*',
  "(((([a-z]+)*)+)$",
  "\\ % _ * ? ~ ^ : AND OR NOT NEAR",
  "the of and",
  "\u0000\uffff\ud800",
  "🙂🙂🙂",
  "x".repeat(10_000),
  "lava constructor ".repeat(600),
];

const languages: readonly (readonly [id: string, text: string, question: string])[] = [
  ["de", "Größere Städte förderten früher Kohle.", "Größere Städte"],
  ["ru", "Вулканы извергают лаву и пепел.", "лаву и пепел"],
  ["el", "Τα ηφαίστεια εκτοξεύουν στάχτη.", "στάχτη"],
  ["zh", "火山喷出熔岩和灰烬。", "熔岩和灰烬"],
  ["ja", "東京都の図書館は月曜日に閉まります。", "図書館"],
  ["ko", "화산은 용암과 재를 뿜어낸다.", "화산은"],
  ["hi", "ज्वालामुखी लावा उगलते हैं।", "लावा उगलते"],
  ["ar", "تقذف البراكين الحمم والرماد.", "البراكين الحمم"],
  ["emoji", "The team celebrated 🎉🎉 after launch.", "celebrated 🎉 launch"],
];

export const hostile: readonly Case[] = [
  {
    title: "survives any question",
    async run({ make, passage, query }) {
      const retriever = await make();
      await retriever.apply({ upsert: topics.map(([id, text]) => passage(id, text)) });
      for (const text of questions) checkHits(await retriever.search(query(text), { k: 5 }), 5, retriever);
      const hits = await retriever.search(query(topics[0]![1]), { k: 5 });
      checkEqual("first hit afterwards", hits[0]?.id, topics[0]![0]);
    },
  },
  {
    title: "finds passages made of the same hostile words, ids included",
    async run({ make, passage, query }) {
      const retriever = await make();
      const words = ["constructor", "__proto__", "toString", "hasOwnProperty"];
      await retriever.apply({ upsert: words.map((word) => passage(word, `${word} zebra ${word}`)) });
      for (const word of words) {
        const hits = await retriever.search(query(`${word} zebra ${word}`), { k: 4 });
        checkHits(hits, 4, retriever, new Set(words));
        checkEqual(`first hit for ${word}`, hits[0]?.id, word);
      }
      checkEqual("deleted", (await retriever.apply({ delete: ["__proto__", "valueOf"] })).deleted, 1);
    },
  },
  {
    title: "finds text of other scripts",
    async run({ make, passage, query }) {
      const retriever = await make();
      await retriever.apply({ upsert: languages.map(([id, text]) => passage(id, text)) });
      for (const [id, text] of languages) {
        checkEqual(`first hit for ${text}`, (await retriever.search(query(text), { k: 3 }))[0]?.id, id);
      }
      if (!retriever.capabilities.text) return;
      for (const [id, , question] of languages) {
        const hits = await retriever.search({ text: question }, { k: 3 });
        check(idsOf(hits).includes(id), `"${question}" must find "${id}", got ${JSON.stringify(idsOf(hits))}`);
      }
    },
  },
  {
    title: "takes empty, enormous and wordless passages",
    async run({ make, passage, query }) {
      const retriever = await make();
      const upsert = [
        passage("empty", ""),
        passage("huge", "lava ".repeat(20_000)),
        passage("dots", "… — !?"),
        passage("one", "ash"),
      ];
      checkEqual("total", (await retriever.apply({ upsert })).total, 4);
      checkEqual("first hit", (await retriever.search(query("ash"), { k: 4 }))[0]?.id, "one");
    },
  },
  {
    title: "refuses a question without the vector it needs, or with one it cannot use",
    applies: ({ capabilities }) => capabilities.vector,
    async run({ make, passage, query }) {
      const retriever = await make();
      await retriever.apply({ upsert: [passage("a", "lava")] });
      const { text, vector } = query("lava");
      const bad = vector!.slice();
      bad[0] = Number.NaN;
      const attempts: [string, Float32Array][] = [
        ["a NaN vector", bad],
        ["a vector that is too short", vector!.slice(1)],
        ["a vector of no numbers", new Float32Array(0)],
      ];
      for (const [what, each] of attempts) {
        await checkRejects(what, () => retriever.search({ text, vector: each }, { k: 1 }), ["shape", "input"]);
      }
      if (!retriever.capabilities.text) {
        await checkRejects("no vector", () => retriever.search({ text }, { k: 1 }), ["shape", "input"]);
      }
      checkEqual("hits afterwards", idsOf(await retriever.search(query("lava"), { k: 1 })), ["a"]);
    },
  },
];
