import { readFile } from "node:fs/promises";
import { createCompressor, maxCosine, quantizeMemory, windowScores } from "@clara/compressor";
import { createEngine } from "@clara/engine";
import { mini } from "@clara/mini";
import { bertEncoder, readWeights, wordPiece } from "@clara/model";

const { layers, heads } = mini.config;
const weights = readWeights(await readFile(mini.files.weights), { only: ["embeddings.", "compressor."] });
const engine = await createEngine();
const encoder = await bertEncoder(engine, { weights, layers, heads, prefix: "compressor" });
const tokenizer = wordPiece(JSON.parse(await readFile(mini.files.tokenizer, "utf8")));
const compressor = createCompressor({ encoder, tokenizer });

const passages = [
  {
    title: "Tents",
    text: "The tent weighs 4.3 kg and sleeps four people. It is red. It can be returned within 30 days.",
  },
  { title: "Stoves", text: "The stove burns gas and boils a litre of water in three minutes." },
];
const memories = await compressor.compress(passages, { rate: 8 });
const { vector: question } = await compressor.query("How heavy is the tent?");

for (const [i, memory] of memories.entries()) {
  const scores = windowScores(question, memory);
  const best = scores.indexOf(Math.max(...scores));
  const [start, end] = memory.spans.subarray(2 * best);
  const bytes = quantizeMemory(memory).values.length;
  console.log(`${maxCosine(question, memory).toFixed(2)}, ${memory.count} vectors, ${bytes} bytes in int4`);
  console.log(`  closest: ${passages[i]!.text.slice(start, end)}`);
}
await engine.dispose();
