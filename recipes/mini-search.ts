// Stage 1 of the embedded model, compression: memories that lie where their questions point.
//
//   npm start -- train mini-search --model <folder of the start> --out runs/search
//
// A bottleneck from 384 to 256 numbers, of which a pack keeps 2 bits each, learns by contrast: each question against its
// own passage and 63 others, of which seven are about the same subject. The layers stay as they are: batches of this size
// teach them SQuAD's ways at the cost of everything else (see the model card).
import { type Recipe, readQed, readSquad, searchTask } from "@clara/train";

const recipe: Recipe = {
  name: "mini-search",
  stage: "compression",
  about: "A compressor whose memory tokens are good search keys in 64 bytes.",
  steps: 400,
  seed: 3,
  optimizer: { learningRate: 5e-5, schedule: "linear", warmupSteps: 20, weightDecay: 0.01, clipNorm: 1 },
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
    return searchTask(context, {
      // Three times, so that what people really ask of a search engine is a fifth of what is learnt.
      records: [...squad, ...qed, ...qed, ...qed],
      seed: context.seed,
      batchSize: 64,
      groupSize: 8,
      rates: [8, 16, 32],
      maxTokens: 176,
      memoryWidth: 256,
      temperature: 0.05,
      windowWeight: 0.2,
      keyWeight: 0.2,
    });
  },
};

export default recipe;
