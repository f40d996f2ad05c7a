// Stage 2 of the embedded model, instruction, second part: a reader of memories.
//
//   npm start -- train mini-memory --model <folder of the stage before> --out runs/memory
//
// Passages are compressed once, when they are first met, and read at rates from 4 to 32. The reader says which window holds the
// answer, if any, and points at its words in a table of static embeddings; no text goes through a transformer.
import { memoryTask, type Recipe, readQed, readSquad } from "@clara/train";

const recipe: Recipe = {
  name: "mini-memory",
  stage: "instruction",
  about: "A reader of memories: chooses windows, and answers without reading text.",
  steps: 2000,
  seed: 9,
  optimizer: {
    learningRate: 3e-4,
    schedule: "trapezoid",
    warmupSteps: 50,
    decaySteps: 800,
    weightDecay: 0.01,
    clipNorm: 1,
  },
  data: {
    squad: {
      path: "data/squad/train-v1.1.json.gz",
      about: "SQuAD 1.1, training half (Rajpurkar et al. 2016)",
      licence: "CC BY-SA 4.0",
    },
    qed: {
      path: "data/nq-qed/qed-train.early.jsonl.gz",
      about: "QED: Natural Questions with the paragraph that answers (Lamm et al. 2020)",
      licence: "CC BY-SA 3.0",
    },
  },
  async build(context) {
    const squad = readSquad(await context.read("squad"));
    const qed = readQed(await context.read("qed"));
    return memoryTask(context, {
      records: [...squad, ...qed, ...qed],
      seed: context.seed,
      batchSize: 32,
      together: 4,
      rates: [4, 4, 8, 16, 16, 32],
      astray: 0.3,
      memoryLayers: 4,
    });
  },
};

export default recipe;
