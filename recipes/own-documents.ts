// The embedded reader, fitted to your own documents in a few minutes.
//
//   npm start -- synthesize ./docs --out pairs.jsonl
//   npm start -- train own-documents --data pairs=pairs.jsonl --out runs/own-documents
//
// Then `compression.model: ./runs/own-documents` in rag_config.yaml. Packs stay valid: only the reader learns. A low rate and few
// steps keep what the reader knew before; a third of the examples have no answer, so that it goes on to refuse. It learns to see each
// passage's title, which is often the only place that names the product.
import { type Recipe, readingTask, readSpanLines } from "@clara/train";

const recipe: Recipe = {
  name: "own-documents",
  stage: "instruction",
  about: "The reader, fitted to the documents that synthesize has asked about.",
  steps: 150,
  seed: 17,
  optimizer: { learningRate: 3e-5, schedule: "linear", warmupSteps: 15, weightDecay: 0.01, clipNorm: 1 },
  data: {
    pairs: {
      path: "pairs.jsonl",
      about: "Questions with answers from your own documents, as synthesize writes them",
      licence: "yours",
    },
  },
  async build(context) {
    const records = readSpanLines(await context.read("pairs"));
    return readingTask(context, {
      records,
      seed: context.seed,
      batchSize: 32,
      titled: 1,
      mix: { whole: 0.45, windows: 0.2, other: 0.15, removed: 0.1, changed: 0.1 },
      frozenLayers: 2,
    });
  },
};

export default recipe;
