import type { IndexedPassage } from "@clara/core";
import { bm25, exact, hybrid } from "@clara/retrieval";

// The vectors are made by hand here; usually they are the keys of compressed passages.
const passages: IndexedPassage[] = [
  { text: "The X-200 jacket keeps rain out.", vector: [0.9, 0.1, 0.0] },
  { text: "This coat is waterproof and warm.", vector: [0.8, 0.2, 0.1] },
  { text: "The kettle boils in three minutes.", vector: [0.0, 0.1, 0.9] },
].map(({ text, vector }, i) => ({
  id: `catalogue#${i}`,
  document: "catalogue",
  title: "",
  text,
  start: 0,
  end: text.length,
  metadata: { year: 2023 + i },
  vector: Float32Array.from(vector),
}));

const index = hybrid({ sparse: bm25(), dense: exact(), fusion: "union" });
console.log(await index.apply({ upsert: passages }));

const question = { text: "x200 rain jacket", vector: Float32Array.of(0.9, 0.2, 0) };
for (const { rank, id, from } of await index.search(question, { k: 2 })) console.log(rank, id, from);

const recent = await index.search(question, { k: 2, filter: { field: "year", op: "gte", value: 2024 } });
console.log(recent.map(({ id }) => id));
await index.close();
