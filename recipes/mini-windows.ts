// Stage 2 of the embedded model, instruction, third part: the reader of text, on windows as the gate chooses them.
//
//   npm start -- train mini-windows --model <folder of a trained reader> --out runs/windows
//
// As mini-reader, but four in ten examples are what the reader gets when memories choose what is read: a few windows of one
// passage that share the question's words, of the passage that answers or of another of its subject.
import { type Recipe, readingTask, readQed, readSquad } from "@clara/train";

const recipe: Recipe = {
  name: "mini-windows",
  stage: "instruction",
  about: "A span reader at home in windows.",
  steps: 2000,
  seed: 8,
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
      mix: { whole: 0.33, windows: 0.05, chosen: 0.4, other: 0.04, removed: 0.06, changed: 0.12 },
      frozenLayers: 2,
    });
  },
};

export default recipe;
