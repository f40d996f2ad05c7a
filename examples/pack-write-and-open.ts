import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openPack, writePack } from "@clara/pack";
import { englishAnalyzer } from "@clara/retrieval";

const text = "The jacket costs 89 euros. It is made of recycled wool.";
const document = { id: "shop/jacket.md", title: "Jacket", text, hash: "0".repeat(64), metadata: { year: 2024 } };
const passage = {
  id: "shop/jacket.md#0",
  document: document.id,
  title: "Jacket",
  text: text.slice(0, 26),
  start: 0,
  end: 26,
  metadata: {},
};
const memory = {
  rate: 16,
  count: 1,
  width: 2,
  bits: 4 as const,
  values: Int8Array.from([0x17]), // 7 and 1: two numbers a byte
  scales: Uint16Array.from([0x3c00]), // 1 in float16
  tokens: Uint16Array.from([7]),
  spans: Uint32Array.from([0, 26]),
};

const directory = await mkdtemp(join(tmpdir(), "pack-"));
await writePack(directory, {
  identity: { model: "example-1", tokenizer: "example-1", analyzer: englishAnalyzer.id, rate: 16, width: 2, bits: 4 },
  content: {
    documents: [document],
    passages: [passage],
    memories: new Map([[passage.id, memory]]),
  },
});

const pack = await openPack(directory, { expect: { model: "example-1" } });
const [hit] = await pack.sparse.search({ text: "what does the jacket cost" }, { k: 1 });
console.log(hit && pack.passages.get(hit.id)?.text);
console.log(pack.manifest.counts);
await openPack(directory, { expect: { model: "example-2" } }).catch((error) =>
  console.log(error.message.split("; ")[1]),
);
await pack.close();
await rm(directory, { recursive: true });
