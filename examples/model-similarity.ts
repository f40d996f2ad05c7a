import { readFile } from "node:fs/promises";
import { mini } from "@clara/mini";
import { bertParams, encodeBert, readWeights, wordPiece } from "@clara/model";
import { tf } from "@clara/tensor";

const tokenizer = wordPiece(JSON.parse(await readFile(mini.files.tokenizer, "utf8")));
const weights = readWeights(await readFile(mini.files.weights));
const params = bertParams(weights, { layers: mini.config.layers, prefix: "compressor" });

const texts = ["Can I send it back?", "What is the return policy?", "The tent weighs 4 kg."];
const rows = texts.map((text) => [tokenizer.cls, ...tokenizer.encode(text).ids, tokenizer.sep]);
const longest = Math.max(...rows.map((row) => row.length));

function batch(value: (row: number[], t: number) => number): tf.Tensor2D {
  const values = rows.map((row) => Array.from({ length: longest }, (_, t) => value(row, t)));
  return tf.tensor2d(values, [rows.length, longest], "int32");
}

const similarity = tf.tidy(() => {
  const ids = batch((row, t) => row[t] ?? tokenizer.pad);
  const mask = batch((row, t) => (t < row.length ? 1 : 0));
  const states = encodeBert(params, { ids, types: tf.zerosLike(ids), mask }, { heads: mini.config.heads }); // [3, T, D]
  const sum = tf.sum(tf.mul(states, tf.expandDims(mask, -1)), 1); // [3, D]
  const vectors = tf.div(sum, tf.norm(sum, "euclidean", 1, true)); // the mean's direction is the sum's
  return tf.matMul(vectors, vectors, false, true); // [3, 3]
});
const cosines = await similarity.data();
for (const [i, text] of texts.entries()) console.log(cosines[i]?.toFixed(2), text);
tf.dispose([params, similarity]);
