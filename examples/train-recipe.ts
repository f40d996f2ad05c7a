import { readFile } from "node:fs/promises";
import { createEngine, type HostTensors } from "@clara/engine";
import { mini } from "@clara/mini";
import { wordPiece } from "@clara/model";
import { tf } from "@clara/tensor";
import { permutation, type Recipe, random, train } from "@clara/train";

// Which of these questions are about delivery? A weight for each word, and nothing else.
const questions: [text: string, delivery: number][] = [
  ["When will my parcel arrive?", 1],
  ["How long does shipping take?", 1],
  ["Who delivers on Saturdays?", 1],
  ["Is the tent waterproof?", 0],
  ["How much does the stove weigh?", 0],
  ["What is the jacket made of?", 0],
];

const recipe: Recipe = {
  name: "delivery",
  stage: "instruction",
  about: "Tells questions about delivery from others.",
  steps: 60,
  seed: 7,
  optimizer: { learningRate: 0.02, schedule: "cosine", warmupSteps: 5, weightDecay: 0, clipNorm: 1 },
  data: {},
  async build({ engine, model }) {
    const words = { shape: [mini.config.vocabulary, 1], data: new Float32Array(mini.config.vocabulary) };
    const part = ([text, delivery]: (typeof questions)[number]): HostTensors => {
      const { ids } = model.tokenizer.encode(text);
      return { ids: { data: ids, shape: [ids.length] }, y: { data: Float32Array.of(delivery), shape: [1] } };
    };
    return {
      // -log p of the right answer, in nats, where p is the sigmoid of the words' sum.
      loss: ({ ids, y }, { words }) => {
        const logit = tf.sum(tf.gather(words!, ids as tf.Tensor1D)); // []
        return tf.sum(tf.softplus(tf.mul(logit, tf.sub(1, tf.mul(y!, 2)))));
      },
      specs: { ids: { shape: ["T"], dtype: "int32" }, y: { shape: [1] } },
      params: [await engine.params({ words }, { trainable: true })],
      // All six in each step, in an order that the seed and the epoch decide.
      *batches({ epoch }) {
        for (; ; epoch++) {
          const order = permutation(questions.length, random(recipe.seed, epoch));
          const ids = Array.from(order, (i) => questions[i]![0]);
          const parts = Array.from(order, (i) => part(questions[i]!));
          yield { parts, ids, divisor: 6, tokens: 40, examples: 6, next: { epoch: epoch + 1, cursor: 0 } };
        }
      },
      weights: ({ words }) => ({ "delivery.weight": { shape: words!.shape, data: words!.data as Float32Array } }),
    };
  },
};

const engine = await createEngine();
const tokenizer = wordPiece(JSON.parse(await readFile(mini.files.tokenizer, "utf8")));
const from = {
  engine,
  model: { config: {}, weights: {}, tokenizer },
  read: () => Promise.reject(new Error("no data")),
};

let checkpoint: Uint8Array | undefined;
for await (const step of train(recipe, from)) {
  if (step.step % 10 === 0) console.log(`step ${step.step} of ${step.steps}: ${step.loss.toFixed(3)} nats/question`);
  if (step.step < 30) continue;
  checkpoint = await step.checkpoint();
  break;
}
console.log("stopped; now on, as if nothing had happened");
for await (const step of train(recipe, { ...from, resume: checkpoint })) {
  if (step.step % 10 === 0) console.log(`step ${step.step} of ${step.steps}: ${step.loss.toFixed(3)} nats/question`);
}
await engine.dispose();
