import { noGrad, tf } from "@clara/tensor";
import { cosineScores, flattenMemories, selectMemories, selectTopK } from "@clara/topk";

// Eight documents of four memory tokens each. The answer is written in document 5; nobody tells the query that.
const [N, M, D] = [8, 4, 16];
const memories: tf.Tensor4D = tf.randomNormal([1, N, M, D], 0, 1, "float32", 1);
const answer: tf.Tensor4D = tf.slice(memories, [0, 5, 0, 0], [1, 1, M, D]);

const query = tf.variable<tf.Rank.R2>(tf.randomNormal([1, M * D], 0, 1, "float32", 2));
const optimizer = tf.train.adam(0.02);

// The only training signal: how far is the memory that was selected from the answer?
function select() {
  const scores = cosineScores(query, flattenMemories(memories)); // [1, N]
  const { weights, indices } = selectTopK(scores, 1, { temperature: 0.1 });
  const loss = tf.mean(tf.squaredDifference(selectMemories(weights, memories), answer)) as tf.Scalar;
  return { loss, indices };
}

async function report(step: number): Promise<void> {
  const { loss, indices } = noGrad(select);
  const [[value], [document]] = [await loss.data(), await indices.data()];
  console.log(`step ${step}: loss ${value?.toFixed(3)}, selects document ${document}`);
  tf.dispose([loss, indices]);
}

await report(0);
for (let step = 1; step <= 40; step++) {
  optimizer.minimize(() => select().loss, false, [query]);
  if (step % 10 === 0) await report(step);
}
