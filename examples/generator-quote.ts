import { readFile } from "node:fs/promises";
import { createCompressor } from "@clara/compressor";
import { createEngine } from "@clara/engine";
import { quoteGenerator, spanHead } from "@clara/generator";
import { mini } from "@clara/mini";
import { bertEmbeddings, bertEncoder, readWeights, wordPiece } from "@clara/model";

// One file of weights holds two stacks on one table of words: one makes memories, the other reads text.
const weights = readWeights(await readFile(mini.files.weights));
const tokenizer = wordPiece(JSON.parse(await readFile(mini.files.tokenizer, "utf8")), { specialTokens: "text" });
const engine = await createEngine();
const embeddings = bertEmbeddings(engine, weights);
const { layers, heads, width } = mini.config;
const memoryStack = await bertEncoder(engine, { weights, embeddings, layers, heads, prefix: "compressor" });
const readerStack = await bertEncoder(engine, { weights, embeddings, layers, heads, prefix: "reader" });

const compressor = createCompressor({ encoder: memoryStack, tokenizer });
const generator = quoteGenerator({
  encoder: readerStack,
  head: spanHead(weights, "reader.span", width),
  tokenizer,
  confidence: mini.calibration.confidence,
  windows: 1, // of text that are opened where the memories point; with them come their neighbours
});

const passages = [
  {
    id: "returns",
    title: "Returns",
    text: "Unworn jackets can be returned within 30 days of delivery. Opened gas cartridges cannot be returned. Keep the receipt: without it we give shop credit. Refunds take 5 working days. Shoes must be clean and in their box. Gift cards are not refunded.",
  },
  { id: "tents", title: "Tents", text: "The Skarrow 2 weighs 2.15 kg and comes with 14 aluminium pegs." },
];
const memories = await compressor.compress(passages, { rate: 16 });
const evidence = passages.map((passage, i) => ({ ...passage, memory: memories[i]!, score: 1 }));

const question = "How long does a refund take?";
const query = { text: question, ...(await compressor.query(question)) };
for (const context of ["mixed", "text"] as const) {
  const generated = await generator.generate(query, evidence, { context });
  const quote = generated?.quotes[0];
  console.log(`${context}: ${generated?.answer} (confidence ${generated?.confidence.toFixed(2)})`);
  console.log(`  ${quote?.evidence}, characters ${quote?.start} to ${quote?.end}`);
  console.log(`  read ${generated?.tokens.read} of ${generated?.tokens.text} tokens`);
}
await engine.dispose();
