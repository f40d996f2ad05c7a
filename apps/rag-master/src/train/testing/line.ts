import { tf } from "@clara/tensor";
import { type Recipe, type RecipeContext, random } from "@clara/train";

/** Fits a line of four numbers to points: a recipe that is trained in a second. */
const recipe: Recipe = {
  name: "line",
  stage: "instruction",
  about: "A line through points.",
  steps: 60,
  seed: 3,
  optimizer: { learningRate: 0.05, schedule: "cosine", warmupSteps: 10, weightDecay: 0.01, clipNorm: 1 },
  data: { points: { path: "points.json", about: "four numbers, made up", licence: "CC0-1.0" } },
  async build({ engine, read, seed }: RecipeContext) {
    const line: number[] = JSON.parse(new TextDecoder().decode(await read("points")));
    const params = await engine.params({ w: { shape: [4, 1], data: new Float32Array(4) } }, { trainable: true });
    return {
      loss: ({ x, y }, { w }) => {
        const loss = tf.sum(tf.squaredDifference(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D), y!));
        return { loss, doubled: tf.mul(loss, 2) };
      },
      specs: { x: { shape: ["N", 4] }, y: { shape: ["N", 1] } },
      params: [params],
      *batches({ epoch, cursor }) {
        for (; ; cursor++) {
          const { next } = random(seed, epoch, cursor);
          const x = Float32Array.from({ length: 16 }, next);
          const y = Float32Array.from({ length: 4 }, (_, i) =>
            line.reduce((sum, factor, j) => sum + factor * x[4 * i + j]!, 0),
          );
          const part = (at: number) => ({
            x: { data: x.slice(4 * at, 4 * at + 8), shape: [2, 4] },
            y: { data: y.slice(at, at + 2), shape: [2, 1] },
          });
          const position = { epoch, cursor: cursor + 1 };
          yield {
            parts: [part(0), part(2)],
            divisor: 4,
            tokens: 16,
            examples: 4,
            ids: [`batch ${cursor}`],
            next: position,
          };
        }
      },
      weights: ({ w }) => ({ "line.weight": { shape: [4, 1], data: w!.data as Float32Array } }),
    };
  },
};

export default recipe;
