// Stage 2 of the embedded model, instruction, first part: a reader of text.
//
//   npm start -- train mini-reader --model <folder of the stage before> --out runs/reader
//
// It reads whole passages, runs of their words, and windows of them as memories choose them; a third of its examples have
// no answer, of four kinds.
import { type Recipe, readingTask, readQed, readSquad } from "@clara/train";

const recipe: Recipe = {
  name: "mini-reader",
  stage: "instruction",
  about: "A span reader that knows when a text does not answer.",
  steps: 2000,
  seed: 7,
  optimizer: {
    learningRate: 1e-4,
    schedule: "trapezoid",
    warmupSteps: 50,
    decaySteps: 1500,
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
    return readingTask(context, {
      records: [...squad, ...qed, ...qed],
      seed: context.seed,
      batchSize: 32,
      mix: { whole: 0.5, windows: 0.2, other: 0.08, removed: 0.08, changed: 0.14 },
      frozenLayers: 2,
    });
  },
};

export default recipe;
