// Stage 3 of the embedded model, end to end: a query reasoner.
//
//   npm start -- train mini-query --model <folder of the stage before> --out runs/query
//
// LoRA updates of the compressor for questions alone: documents stay compressed as they are, so packs stay valid. Each question
// is held against the passages of all questions of its step, an eighth of which are about the same subject; the loss of the reader of
// memories reaches the question through the straight-through top-k over the same passages.
import { queryTask, type Recipe, readQed, readSquad } from "@clara/train";

const recipe: Recipe = {
  name: "mini-query",
  stage: "endToEnd",
  about: "A query reasoner that the answer's loss has trained.",
  steps: 400,
  seed: 13,
  optimizer: { learningRate: 1e-3, schedule: "cosine", warmupSteps: 20, weightDecay: 0, clipNorm: 1 },
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
    return queryTask(context, {
      records: [...squad, ...qed, ...qed, ...qed],
      seed: context.seed,
      batchSize: 128,
      groupSize: 16,
      answers: 32,
      rate: 16,
      topK: 2,
      answerWeight: 0.5,
    });
  },
};

export default recipe;
